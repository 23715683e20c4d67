"""``leafid serve``: a web page and a REST service that identify photos."""

import os
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument, Device, DeviceOption, EngineChoice, EngineOption
from leafid.cores import keep_libraries_to_one_thread, usable_cores
from leafid.errors import UsageError

API_KEY = "LEAFID_API_KEY"
"""Environment variable with the key that clients must send; as an option, others could read it in the process list."""


def serve(
    bundle: BundleArgument,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. 0.0.0.0: others may use the service, too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free port.")] = 8080,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes that answer.", show_default="one per core"),
    ] = None,
    host_name: Annotated[
        list[str] | None,
        typer.Option("--host-name", metavar="NAME", help="Another name of this machine, as in the browser's address."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="A web site whose pages may call the service."),
    ] = None,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineChoice.AUTO,
) -> None:
    """Serve a web page and a REST service that identify photos, until Ctrl-C.

    Photos are read by processes of their own and deleted after the answer. Nothing is asked of other servers. Clients
    must send the key in the environment variable LEAFID_API_KEY, if it is set. Exit code: 0 after Ctrl-C; 2 if the
    service could not start.
    """
    keep_libraries_to_one_thread()
    for value in origin or ():
        if not value.startswith(("http://", "https://")) or "*" in value:
            raise UsageError(f"--origin {value}: give the start of the site's addresses, such as https://example.org.")
    from leafid.serve import ServeSettings, serve_bundle

    settings = ServeSettings(
        bundle=bundle,
        host=host,
        port=port,
        workers=workers or usable_cores(),
        api_key=os.environ.get(API_KEY) or None,
        host_names=tuple(host_name or ()),
        origins=tuple(origin or ()),
        device=device.value,
        engine=engine.value,
    )
    raise typer.Exit(serve_bundle(settings))
