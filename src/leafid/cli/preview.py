"""``leafid preview``: a picture of what the network will see of an image."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.errors import ImageError, OutputError, UsageError


def preview(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A sheet or photo.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The picture, .png or .jpg.")],
    job: Annotated[Path | None, typer.Option("--job", metavar="JOB", help="See it as this job prepares it.")] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="BUNDLE", help="See it as this bundle prepares it.")
    ] = None,
    characters: Annotated[
        bool, typer.Option("--characters", help="Show instead what `leafid measure` measures, over the leaves.")
    ] = False,
    augment: Annotated[
        bool, typer.Option("--augment", help="Show instead what training does to the views, weakly to strongly.")
    ] = False,
) -> None:
    """Show what the network will see of an image: outline and boxes, mask, views, and the vein maps of the leaves.

    Without --job and --bundle: the whole image, the plant, up to six leaves and four tiles. With --characters: midrib,
    secondary veins with numbers, widest line, apex and base angles, and how the leaves lie to the ranges of the floras.
    With --augment: one view of each kind, and three draws each of training.augmentation light, medium and strong.
    """
    from leafid.bundle import read_bundle
    from leafid.characters import look_at_characters
    from leafid.jobs import Preprocessing, ViewCounts, load_job
    from leafid.sheets import preview_image

    if job is not None and bundle is not None:
        raise UsageError("--job and --bundle are two ways to say the same: give one of them.")
    if characters and augment:
        raise UsageError("--characters and --augment are two pictures: give one of them.")
    if characters and (job is not None or bundle is not None):
        raise UsageError("--characters does not depend on a job or bundle: leave --job and --bundle out.")
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"-o {output}: name a file that ends in .png or .jpg.")
    if job is not None:
        preprocessing = load_job(job).sheets
    elif bundle is not None:
        preprocessing = read_bundle(bundle).info.preprocessing
    else:
        preprocessing = Preprocessing(views=ViewCounts(image=1, plant=1, leaves=6, tiles=4))
    try:
        if characters:
            picture = look_at_characters(image)
        elif augment:
            from leafid.learning import preview_augmentation  # with torch, which the other pictures do not need

            picture = preview_augmentation(image, preprocessing)
        else:
            picture = preview_image(image, preprocessing)
    except ImageError as error:
        raise UsageError(f"{image} cannot be shown: {error}") from None
    try:
        picture.save(output)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}.") from None
    print(f"{output}: {picture.width} x {picture.height} pixels")
