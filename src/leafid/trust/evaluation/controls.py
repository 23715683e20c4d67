"""What the network knows without the plant: images of which only the border, the background or the labels are left.

The same question as the audit's shortcut table asks of simple classifiers, asked of the trained network itself. Where
it does well on what should tell it nothing, its score on whole images is partly that.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import Bundle
from leafid.errors import ImageError
from leafid.images import OpenedImage, open_image
from leafid.jobs import Preprocessing
from leafid.progress import OnProgress
from leafid.sheets import PreparedImage, prepare
from leafid.trust.bootstrap import bootstrap_weights, mean_interval
from leafid.trust.metric_types import ControlResult

BORDER = 1 / 16
"""Width of the border, as a share of the shorter side; the ring of the audit's table."""

MASK_SIDE = 800
"""Shorter side in pixels at which the plant is looked for, and at which the parts are shown."""

OBJECT_DISTANCE = 12.0
"""What lies beside the plant is an object where its colour is further than this (CIE L*a*b*) from the paper's."""

LEFT = ("whole", "plant", "border", "background", "objects")


def mask_parts(rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Return copies of an image (H, W, 3) of which only a part was left; the rest has the paper's colour.

    Where the plant was, there is paper, and some more around it, so that its outline is not told by a hole.
    """
    import cv2

    from leafid.sheets import plant_mask

    plant = plant_mask(rgb)
    width = 2 * max(1, sum(rgb.shape[:2]) // 200) + 1
    around = cv2.dilate(plant.astype(np.uint8), np.ones((width, width), dtype=np.uint8)).astype(bool)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    free = ~around if not around.all() else np.ones_like(around)
    paper = np.median(rgb[free], axis=0).astype(np.uint8)
    ring = np.ones(plant.shape, dtype=bool)
    edge = max(1, round(BORDER * min(plant.shape)))
    ring[edge:-edge, edge:-edge] = False
    objects = ~around & (np.linalg.norm(lab - np.median(lab[free], axis=0), axis=-1) > OBJECT_DISTANCE)
    left = {"plant": plant, "border": ring, "background": ~around, "objects": objects}
    return {"whole": rgb} | {name: np.where(mask[..., None], rgb, paper) for name, mask in left.items()}


def control_results(
    bundle: Bundle,
    files: Sequence[Path],
    truth: NDArray[np.int64],
    gatherings: Sequence[str],
    *,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> tuple[ControlResult, ...]:
    """Ask a network about parts of images; those that cannot be read are left out.

    Args:
        bundle: the network's.
        files: (N,).
        truth: (N,) labels.
        gatherings: of the N images.
        device: where to compute.
        on_progress: called with (images done, images in all).
    """
    import torch

    from leafid.learning import Bags, choose_device, fuse_batch_norm, load_network

    where = choose_device(device)
    network = fuse_batch_norm(load_network(bundle), where)
    predicted: dict[str, list[int]] = {name: [] for name in LEFT}
    read = []
    for number, path in enumerate(files):
        try:
            images = _prepared_parts(path, bundle.info.preprocessing)
        except ImageError:
            continue
        bags = Bags.of([one.views for one in images.values()], [one.kinds for one in images.values()])
        with torch.inference_mode():
            labels = network(bags.to(where)).logits.argmax(dim=1).tolist()
        for name, label in zip(images, labels, strict=True):
            predicted[name].append(label)
        read.append(number)
        if on_progress:
            on_progress(number + 1, len(files))
    known, units = truth[read], [gatherings[number] for number in read]
    return tuple(_figures(name, known, np.array(labels), units) for name, labels in predicted.items()) if read else ()


def _prepared_parts(path: Path, preprocessing: Preprocessing) -> dict[str, PreparedImage]:
    opened = open_image(path, needed_side=MASK_SIDE, max_pixels=preprocessing.max_pixels)
    rgb = opened.rgb
    rgb.thumbnail((2 * MASK_SIDE, 2 * MASK_SIDE), Image.Resampling.BOX)
    return {
        name: prepare(OpenedImage(Image.fromarray(pixels), opened.width, opened.height, 1), preprocessing)
        for name, pixels in mask_parts(np.asarray(rgb)).items()
    }


def _figures(
    name: str, truth: NDArray[np.int64], predicted: NDArray[np.int64], gatherings: Sequence[str]
) -> ControlResult:
    right = predicted == truth
    return ControlResult(
        left=name,
        images=len(truth),
        accuracy=float(right.mean()),
        accuracy_interval=mean_interval(right.astype(float), bootstrap_weights(gatherings)),
        balanced_accuracy=float(np.mean([right[truth == label].mean() for label in np.unique(truth)])),
    )
