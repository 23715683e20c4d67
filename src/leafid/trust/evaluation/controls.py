"""Shortcut controls: the network's accuracy on images in which the plant, or everything else, is masked.

The audit's shortcut table measures simple classifiers in the same way; here it is the trained network. High accuracy on
border, background or labels means that part of its accuracy on whole images rests on shortcuts.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import Bundle
from leafid.errors import ImageError
from leafid.images import OpenedImage, guard_image, open_image
from leafid.jobs import Preprocessing
from leafid.progress import OnProgress
from leafid.sheets import PreparedImage, prepare
from leafid.trust.intervals import bootstrap_weights, mean_interval
from leafid.trust.metric_schemas import ControlResult

BORDER = 1 / 16
"""Width of the border as a fraction of the shorter side; the same as in the audit's shortcut table."""

MASK_SIDE = 800
"""Shorter side in pixels at which plant masks are computed and masked images are shown to the network."""

OBJECT_COLOUR_DISTANCE = 12.0
"""Background pixels with a greater CIE L*a*b* distance from the colour of the paper belong to objects."""

PARTS = ("whole", "plant", "border", "background", "objects")


def mask_parts(rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Return copies of an image (H, W, 3), each with one part; the rest is filled with the colour of the paper.

    The mask of the plant is dilated for the background, so that its exact outline does not remain visible as a hole.
    """
    import cv2

    from leafid.sheets import plant_mask

    plant = plant_mask(rgb)
    kernel_side = 2 * max(1, sum(rgb.shape[:2]) // 200) + 1
    dilated = cv2.dilate(plant.astype(np.uint8), np.ones((kernel_side, kernel_side), dtype=np.uint8)).astype(bool)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    # Most of the background is paper, so the median is its colour. Without any background, all pixels are taken.
    background = ~dilated if not dilated.all() else np.ones_like(dilated)
    paper = np.median(rgb[background], axis=0).astype(np.uint8)
    border = np.ones(plant.shape, dtype=bool)
    width = max(1, round(BORDER * min(plant.shape)))
    border[width:-width, width:-width] = False
    colour_distance = np.linalg.norm(lab - np.median(lab[background], axis=0), axis=-1)
    objects = ~dilated & (colour_distance > OBJECT_COLOUR_DISTANCE)
    masks = {"plant": plant, "border": border, "background": ~dilated, "objects": objects}
    return {"whole": rgb} | {name: np.where(mask[..., None], rgb, paper) for name, mask in masks.items()}


def control_results(
    bundle: Bundle,
    files: Sequence[Path],
    truth: NDArray[np.int64],
    gatherings: Sequence[str],
    *,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> tuple[ControlResult, ...]:
    """Measure a network on masked images; images that cannot be read are left out.

    Args:
        bundle: the network's.
        files: (N,).
        truth: (N,) labels.
        gatherings: of the N images.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        on_progress: called with (images done, images in total).
    """
    import torch

    from leafid.learning import Bags, choose_device, fuse_batch_norm, load_network

    chosen_device = choose_device(device)
    network = fuse_batch_norm(load_network(bundle), chosen_device)
    predicted: dict[str, list[int]] = {part: [] for part in PARTS}
    read = []
    for index, path in enumerate(files):
        try:
            with guard_image(path):
                images = _prepare_parts(path, bundle.info.preprocessing)
        except ImageError:
            continue
        bags = Bags.of([image.views for image in images.values()], [image.kinds for image in images.values()])
        with torch.inference_mode():
            labels = network(bags.to(chosen_device)).logits.argmax(dim=1).tolist()
        for part, label in zip(images, labels, strict=True):
            predicted[part].append(label)
        read.append(index)
        if on_progress:
            on_progress(index + 1, len(files))
    if not read:
        return ()
    units = [gatherings[index] for index in read]
    return tuple(_part_result(part, truth[read], np.array(labels), units) for part, labels in predicted.items())


def _prepare_parts(path: Path, preprocessing: Preprocessing) -> dict[str, PreparedImage]:
    opened = open_image(path, needed_side=MASK_SIDE, max_pixels=preprocessing.max_pixels)
    rgb = opened.rgb
    rgb.thumbnail((2 * MASK_SIDE, 2 * MASK_SIDE), Image.Resampling.BOX)
    return {
        name: prepare(OpenedImage(Image.fromarray(pixels), opened.width, opened.height, 1), preprocessing)
        for name, pixels in mask_parts(np.asarray(rgb)).items()
    }


def _part_result(
    part: str, truth: NDArray[np.int64], predicted: NDArray[np.int64], gatherings: Sequence[str]
) -> ControlResult:
    correct = predicted == truth
    return ControlResult(
        part=part,
        images=len(truth),
        accuracy=float(correct.mean()),
        accuracy_interval=mean_interval(correct.astype(float), bootstrap_weights(gatherings)),
        balanced_accuracy=float(np.mean([correct[truth == label].mean() for label in np.unique(truth)])),
    )
