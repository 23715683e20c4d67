"""What takes minutes to measure, and is measured only when asked for: learning curve, controls, heat."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle
from leafid.errors import ImageError
from leafid.progress import OnProgress, progress_bar
from leafid.sheets import prepare_file
from leafid.trust.evaluation.controls import control_results
from leafid.trust.evaluation.eval_set import EvalSet
from leafid.trust.evaluation.learning_curve import run_learning_curve
from leafid.trust.evaluation.predictions import Predictions
from leafid.trust.explanation.heat_maps import explain, faithfulness
from leafid.trust.metric_types import HeatMapResult

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROL_IMAGES = 150
"""Images of which parts are shown to the network, at most, drawn by chance; each is prepared five times."""

HEAT_IMAGES = 10
"""Images that are explained, drawn by chance; a view takes seconds."""

NOISE_CELLS = 7
"""Heat by chance is as coarse as that of the network."""


def extended_results(asked: EvalSet, answered: Predictions, device: str) -> dict[str, Any]:
    """Return the slow fields of an ``Evaluation``; the images are drawn from those that could be read."""
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(answered.read))
    shown, explained = np.sort(drawn[:CONTROL_IMAGES]), np.sort(drawn[:HEAT_IMAGES])
    with progress_bar("Controls") as on_progress:
        controls = control_results(
            asked.bundle,
            [asked.files[place] for place in shown],
            asked.truth[shown],
            [asked.gatherings[place] for place in shown],
            device=device,
            on_progress=on_progress,
        )
    with progress_bar("Heat maps") as on_progress:
        heat = heat_map_results(
            asked.bundle,
            [asked.files[place] for place in explained],
            answered.logits[explained].argmax(axis=1),
            device=device,
            on_progress=on_progress,
        )
    if asked.run is None:
        return {"controls": controls, "heat": heat}
    with progress_bar("Learning curve", unit="probes") as on_progress:
        curve = run_learning_curve(asked.run, device=device, on_progress=on_progress)
    return {"controls": controls, "heat": heat, "learning_curve": curve}


def heat_map_results(
    bundle: Bundle,
    files: "Sequence[Path]",
    labels: NDArray[np.int64],
    *,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> HeatMapResult | None:
    """Explain images by all their views, with heat by chance beside; None where none can be read.

    Args:
        bundle: the network's.
        files: (N,).
        labels: (N,), the taxon that is explained in each.
        device: where to compute.
        on_progress: called with (images done, images in all).
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
        for view in explain(network, prepared, (label,), calibration):
            coarse = random.random((NOISE_CELLS, NOISE_CELLS))
            noise = np.asarray(cv2.resize(coarse, view.pixels.shape[1::-1]), dtype=np.float64)
            heat, by_chance = view.maps[0], faithfulness(network, view.pixels, noise, label, calibration)
            inside = np.nan if heat.inside is None else heat.inside
            rows.append((view.plant, inside, heat.deletion, by_chance[0], heat.insertion, by_chance[1]))
        if on_progress:
            on_progress(number, len(files))
    if not rows:
        return None
    table = np.array(rows)
    plant, _, deletion, deletion_random, insertion, insertion_random = map(float, table.mean(axis=0))
    there = ~np.isnan(table[:, 1])
    return HeatMapResult(
        images=images,
        views=len(rows),
        plant=plant,
        inside=float(table[there, 1].mean()) if there.any() else None,
        deletion=deletion,
        deletion_random=deletion_random,
        insertion=insertion,
        insertion_random=insertion_random,
    )
