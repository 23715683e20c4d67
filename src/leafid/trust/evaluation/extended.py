"""Slow measurements of ``leafid evaluate --full``: learning curve, shortcut controls, faithfulness of heat maps."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle
from leafid.errors import ImageError, UsageError
from leafid.progress import OnProgress, progress_bar
from leafid.sheets import prepare_file
from leafid.trust.evaluation.controls import control_results
from leafid.trust.evaluation.eval_set import EvalSet
from leafid.trust.evaluation.learning_curve import run_learning_curve
from leafid.trust.evaluation.predictions import Predictions
from leafid.trust.explanation.heat_maps import deletion_insertion, explain_image
from leafid.trust.metric_schemas import HeatMapResult

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

CONTROL_IMAGES = 150
"""Maximum number of random images for the controls; each is prepared five times."""

HEAT_IMAGES = 10
"""Maximum number of random images with heat maps; a view takes seconds."""

NOISE_CELLS = 7
"""Side of the grid of random heat maps, like the last feature map of common backbones (7 x 7)."""


def extended_results(eval_set: EvalSet, predictions: Predictions, device: str) -> dict[str, Any]:
    """Return the slow fields of an ``Evaluation``, measured on a random sample of the images that could be read."""
    sample = np.random.default_rng(0).permutation(np.flatnonzero(predictions.read))
    masked, explained = np.sort(sample[:CONTROL_IMAGES]), np.sort(sample[:HEAT_IMAGES])
    with progress_bar("Controls") as on_progress:
        controls = control_results(
            eval_set.bundle,
            [eval_set.files[index] for index in masked],
            eval_set.truth[masked],
            [eval_set.gatherings[index] for index in masked],
            device=device,
            on_progress=on_progress,
        )
    heat = None
    try:
        with progress_bar("Heat maps") as on_progress:
            heat = heat_map_results(
                eval_set.bundle,
                [eval_set.files[index] for index in explained],
                predictions.logits[explained].argmax(axis=1),
                device=device,
                on_progress=on_progress,
            )
    except UsageError as error:  # a transformer has no heat maps
        log.warning("%s", error)
    if eval_set.run is None:
        return {"controls": controls, "heat": heat}
    with progress_bar("Learning curve", unit="probes") as on_progress:
        curve = run_learning_curve(eval_set.run, device=device, on_progress=on_progress)
    return {"controls": controls, "heat": heat, "learning_curve": curve}


def heat_map_results(
    bundle: Bundle,
    files: "Sequence[Path]",
    labels: NDArray[np.int64],
    *,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> HeatMapResult | None:
    """Measure the heat maps of all views of images, and random heat maps for comparison; None if no image can be read.

    Args:
        bundle: the network's.
        files: (N,).
        labels: (N,), the taxon to explain in each image.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        on_progress: called with (images done, images in total).
    """
    import cv2

    from leafid.learning import choose_device, load_network

    network = load_network(bundle).to(choose_device(device))
    preprocessing, calibration = bundle.info.preprocessing, bundle.info.calibration
    random = np.random.default_rng(1)
    rows, images = [], 0
    for number, (path, label) in enumerate(zip(files, labels.tolist(), strict=True), start=1):
        try:
            prepared = prepare_file(path, preprocessing)
        except ImageError:
            continue
        images += 1
        for view in explain_image(network, prepared, (label,), calibration):
            grid = random.random((NOISE_CELLS, NOISE_CELLS))
            noise = np.asarray(cv2.resize(grid, view.pixels.shape[1::-1]), dtype=np.float64)
            heat, baseline = view.maps[0], deletion_insertion(network, view.pixels, noise, label, calibration)
            on_plant = np.nan if heat.on_plant is None else heat.on_plant
            rows.append((view.plant_fraction, on_plant, heat.deletion, baseline[0], heat.insertion, baseline[1]))
        if on_progress:
            on_progress(number, len(files))
    if not rows:
        return None
    table = np.array(rows)
    plant_fraction, _, deletion, deletion_random, insertion, insertion_random = map(float, table.mean(axis=0))
    with_plant = ~np.isnan(table[:, 1])
    return HeatMapResult(
        images=images,
        views=len(rows),
        plant_fraction=plant_fraction,
        heat_on_plant=float(table[with_plant, 1].mean()) if with_plant.any() else None,
        deletion=deletion,
        deletion_random=deletion_random,
        insertion=insertion,
        insertion_random=insertion_random,
    )
