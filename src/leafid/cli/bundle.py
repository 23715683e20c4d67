"""``leafid bundle``: describes a bundle, and packs and unpacks it for sending."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument, check_extension
from leafid.cli.standard_streams import check_printed

bundle = typer.Typer(help="Describe, pack and unpack bundles.", no_args_is_help=True)


@bundle.command()
def info(
    path: BundleArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole description as JSON.")] = False,
) -> None:
    """Describe a bundle: its taxa, what it was trained on, and how it decides."""
    from leafid.bundle import describe_bundle, read_bundle

    read = read_bundle(path)
    print(read.info.model_dump_json(indent=2) if as_json else describe_bundle(read))
    check_printed()


@bundle.command()
def pack(
    path: BundleArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The packed bundle, ending in .zip.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing packed bundle.")] = False,
) -> None:
    """Pack a bundle into one .zip file, to be sent or put on a web page.

    All commands take the .zip file in place of the bundle. The printed SHA-256 belongs to its address on the web.
    """
    from leafid.bundle import bundle_folder, exported_engines, pack_bundle, read_bundle
    from leafid.bundle.zip_bundles import is_packed_bundle
    from leafid.destinations import Destination, check_destinations

    check_extension(output, ".zip")
    destination = Destination("-o", output, is_packed_bundle, makes_folders=False)
    check_destinations([destination], inputs=[path], existing="replace" if force else "refuse")
    sha256 = pack_bundle(bundle_folder(path), output)
    print(f"{output}: {output.stat().st_size / 1e6:,.1f} MB, SHA-256 {sha256}")
    if "onnx" not in exported_engines(read_bundle(path)):
        print(
            f"Others need leafid[train] to use it. So that they do not: leafid export {path} --to onnx, and pack again."
        )
    print(f"On the web, others use it as  https://HOST/{output.name}#sha256={sha256}")


@bundle.command()
def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed bundle (.zip).", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="The new folder of the bundle.")],
) -> None:
    """Unpack a bundle from a .zip file, after checking that it is whole and harmless."""
    from leafid.bundle import read_bundle, unpack_bundle
    from leafid.destinations import Destination, check_destinations

    destination = Destination("-o", output, lambda _: False, "folder")
    check_destinations([destination], inputs=[file])
    unpack_bundle(file, output)
    print(f"{output}: {read_bundle(output).info.identifier}")
