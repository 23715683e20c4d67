"""``leafid preview``: draws what the network sees of an image."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import check_picture
from leafid.errors import ImageError, UsageError


def preview(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A sheet or photo.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The picture, .png or .jpg.")],
    job: Annotated[Path | None, typer.Option("--job", metavar="JOB", help="Prepare the image as in this job.")] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="BUNDLE", help="Prepare the image as in this bundle.")
    ] = None,
    characters: Annotated[
        bool, typer.Option("--characters", help="Draw the measurements of `leafid measure` instead.")
    ] = False,
    augment: Annotated[
        bool, typer.Option("--augment", help="Draw augmented views instead, from light to strong.")
    ] = False,
) -> None:
    """Draw what the network sees of an image.

    The picture has outline and boxes, mask, views, and the vein maps of the leaves. Without --job and --bundle: the
    whole image, the plant, up to six leaves and four tiles. With --characters: midrib, numbered secondary veins, widest
    line, apex and base angles, and a comparison with the ranges of the floras. With --augment: one view of
    each kind, and three samples each of training.augmentation light, medium and strong.
    """
    from leafid.bundle import read_bundle
    from leafid.characters import preview_characters
    from leafid.destinations import save_picture
    from leafid.installation import require_training
    from leafid.jobs import Preprocessing, ViewCounts, apply_recipe, load_job
    from leafid.sheets import preview_image

    if job is not None and bundle is not None:
        raise UsageError("--job and --bundle both choose the preparation. Give one of them.")
    if characters and augment:
        raise UsageError("--characters and --augment choose different pictures. Give one of them.")
    if characters and (job is not None or bundle is not None):
        raise UsageError("--characters does not depend on a job or bundle. Leave out --job and --bundle.")
    check_picture(output, image)
    if job is not None or augment:
        require_training()
    if job is not None:
        from leafid.learning import resolve_recipe

        loaded = load_job(job)
        preprocessing = (resolve_recipe(loaded) if loaded.catalog_path.is_file() else apply_recipe(loaded)[0]).sheets
    elif bundle is not None:
        preprocessing = read_bundle(bundle).info.preprocessing
    else:
        preprocessing = Preprocessing(views=ViewCounts(image=1, plant=1, leaves=6, tiles=4))
    try:
        if characters:
            picture = preview_characters(image)
        elif augment:
            from leafid.learning import preview_augmentation  # imports torch, which the other pictures do not need

            picture = preview_augmentation(image, preprocessing)
        else:
            picture = preview_image(image, preprocessing)
    except ImageError as error:
        raise UsageError(f"{image} cannot be shown: {error}") from None
    save_picture(picture, output)
    print(f"{output}: {picture.width} x {picture.height} pixels")
