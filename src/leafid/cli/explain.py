"""``leafid explain``: what in a photo speaks for the first taxon and what for the runner-up."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument, Device, DeviceOption
from leafid.errors import ImageError, UsageError


def explain(
    bundle: BundleArgument,
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A sheet or photo.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The picture, .png or .jpg.")],
    device: DeviceOption = Device.AUTO,
) -> None:
    """Show where in a photo the network looks: heat maps for the first taxon and the runner-up."""
    from leafid.installation import require_torch

    if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"-o {output}: name a file that ends in .png or .jpg.")
    require_torch()
    from leafid.trust import draw_explanation, explain_file

    try:
        explanation = explain_file(bundle, photo, device=device.value)
    except ImageError as error:
        raise UsageError(f"{photo} cannot be read: {error}") from None
    draw_explanation(explanation, output, title=photo.name)
    for name, score in explanation.candidates:
        print(f"{score:6.1%}  {name}")
    print(output)
