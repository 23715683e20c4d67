"""Measure a bundle on images it was not trained on, and write down what was measured."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration
from leafid.errors import ImageError
from leafid.progress import OnProgress
from leafid.trust.calibration import calibrated_probabilities, calibration_results, reliability
from leafid.trust.evaluation.breakdowns import by_group, by_rank, pooled, worst_pairs
from leafid.trust.evaluation.eval_set import EvalSet, load_eval_set
from leafid.trust.evaluation.extended import extended_results
from leafid.trust.evaluation.files import write_evaluation
from leafid.trust.evaluation.metrics import against_rest, by_taxon, confusion_matrix, overall
from leafid.trust.evaluation.predictions import Predictions, predict
from leafid.trust.evaluation_results import Evaluation
from leafid.trust.metric_types import Failure
from leafid.trust.prediction_sets import prediction_set_results
from leafid.version import __version__

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    run_or_bundle: Path,
    *,
    on: str = "test",
    catalog: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
    full: bool = False,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measure a bundle; write ``evaluation.html``, ``.json``, ``per_taxon.csv``, ``confusion.csv``, ``.png``, ...

    The model card of a run's bundle is written anew with what was measured on its test images.

    Args:
        run_or_bundle: a run, or a bundle; a bundle that lies in its run is measured on the run's split.
        on: ``train``, ``val`` or ``test`` of the split; with ``catalog`` also ``all``. Train and val are among the
            images with which the unknown is compared, so that none of these is found unknown.
        catalog: measure on the images of this catalog instead.
        out: where to write; by default ``<run>/evaluation/<on>``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        full: also what takes minutes: see ``leafid.trust.evaluation.extended``.
        on_progress: called with (images done, images in all).

    Raises:
        UsageError: there are no such images, or a bundle without its run was given neither ``catalog`` nor ``out``.
        RunError, BundleError, CatalogError: what is named cannot be read.
        TaxonomyError: a name in the catalog is not among the bundle's taxa; all are listed.
    """
    asked = load_eval_set(run_or_bundle, on, catalog, out)
    truth = asked.truth
    answered = predict(asked, device, on_progress)
    evaluation = _evaluation(asked, on, truth, answered)
    if full and evaluation.read:
        evaluation = evaluation.model_copy(update=extended_results(asked, answered, device))
    write_evaluation(evaluation, asked, answered)
    return evaluation


def _evaluation(asked: EvalSet, on: str, truth: NDArray[np.int64], answered: Predictions) -> Evaluation:
    info, read = asked.bundle.info, answered.read
    taxonomy, rows = info.taxonomy, asked.rows[read]
    truth, probabilities, logits = truth[read], answered.probabilities[read], answered.logits[read]
    gatherings = asked.gatherings
    units = [unit for unit, there in zip(gatherings, read, strict=True) if there]
    predicted = probabilities.argmax(axis=1) if len(truth) else np.zeros(0, dtype=np.int64)
    verdicts = [answered.verdicts[int(place)] for place in np.flatnonzero(read)]
    named = np.array([verdict.identified for verdict in verdicts], dtype=bool)
    right = np.array(
        [
            verdict.name == taxonomy.taxa[label].at(verdict.rank)
            for verdict, label in zip(verdicts, truth, strict=True)
            if verdict.rank is not None
        ],
        dtype=bool,
    )
    there = bool(len(truth))
    return Evaluation(
        bundle=info.identifier,
        on=on,
        created=datetime.now(UTC),
        leafid_version=__version__,
        images=len(read),
        read=int(read.sum()),
        gatherings=len(set(gatherings)),
        failures=_failures(asked.rows, answered.failures),
        **overall(truth, predicted, units),
        undetermined=int((~named).sum()),
        undetermined_share=float((~named).mean()) if there else None,
        accuracy_when_identified=float(right.mean()) if len(right) else None,
        wrong_when_identified=int((~right).sum()),
        reasons=dict(Counter(str(verdict.reason) for verdict in verdicts if verdict.reason).most_common()),
        temperature=info.calibration.temperature,
        before_calibration=(
            calibration_results(calibrated_probabilities(logits, Calibration()), truth, units) if there else None
        ),
        calibration=calibration_results(probabilities, truth, units) if there else None,
        reliability=reliability(probabilities, truth) if there else (),
        prediction_sets=(
            prediction_set_results(probabilities, truth, units, info.prediction_sets)
            if there and info.prediction_sets
            else ()
        ),
        ranks=by_rank(truth, probabilities, verdicts, taxonomy) if there else (),
        groups=(
            by_group(rows.assign(gathering_id=units, **_quality(answered)), truth, predicted, verdicts) if there else ()
        ),
        pairs=worst_pairs(list(rows["path"]), truth, predicted, probabilities, taxonomy),
        pooled=pooled(units, truth, probabilities) if there else None,
        taxa=by_taxon(truth, predicted, taxonomy, units),
        target=against_rest(truth, probabilities, taxonomy, units),
        confusion=tuple(map(tuple, confusion_matrix(truth, predicted, len(taxonomy)).tolist())),
    )


def _quality(answered: Predictions) -> dict[str, list[float]]:
    """The columns of what was seen of the images that could be read."""
    seen = [answered.qualities[int(place)] for place in np.flatnonzero(answered.read)]
    return {"shorterSide": [one.shorter_side for one in seen], "sharpness": [one.sharpness for one in seen]}


def _failures(rows: "pd.DataFrame", failures: dict[int, ImageError]) -> tuple[Failure, ...]:
    return tuple(
        Failure(
            image_id=rows["image_id"].iloc[index],
            path=rows["path"].iloc[index],
            reason=error.reason.value,
            detail=error.detail,
        )
        for index, error in sorted(failures.items())
    )
