"""``leafid explain``: heat maps for the best two taxa of a photo."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument, Device, DeviceOption, check_picture
from leafid.errors import ImageError, UsageError


def explain(
    bundle: BundleArgument,
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A sheet or photo.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The picture, .png or .jpg.")],
    device: DeviceOption = Device.AUTO,
) -> None:
    """Draw heat maps for a photo.

    The maps show which parts of the photo raise the probability of the best two taxa.
    """
    from leafid.bundle import bundle_folder, check_is_bundle
    from leafid.installation import require_torch

    check_picture(output, photo)
    check_is_bundle(bundle, others=[photo])
    bundle_folder(bundle)
    require_torch()
    from leafid.trust import draw_explanation, explain_file

    try:
        explanation = explain_file(bundle, photo, device=device.value)
    except ImageError as error:
        raise UsageError(f"{photo} cannot be read: {error}") from None
    draw_explanation(explanation, output, title=photo.name)
    for name, probability in explanation.candidates:
        print(f"{probability:6.1%}  {name}")
    print(output)
