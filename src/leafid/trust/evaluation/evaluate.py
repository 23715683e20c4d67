"""Evaluate a bundle on held-out images, and write the results."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration
from leafid.errors import ImageError
from leafid.installation import require_torch, require_training
from leafid.progress import OnProgress
from leafid.trust.calibration import calibrated_probabilities, calibration_results, reliability
from leafid.trust.evaluation.breakdowns import (
    confused_pairs,
    group_results,
    names_correct,
    pooled_result,
    rank_results,
)
from leafid.trust.evaluation.eval_set import EvalSet, load_eval_set
from leafid.trust.evaluation.extended import extended_results
from leafid.trust.evaluation.metrics import confusion_matrix, overall_results, target_result, taxon_results
from leafid.trust.evaluation.outputs import check_evaluation_folder, write_evaluation
from leafid.trust.evaluation.predictions import Predictions, predict
from leafid.trust.evaluation_schema import Evaluation
from leafid.trust.metric_schemas import Failure
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
    """Evaluate a bundle; write ``evaluation.html``, ``.json``, ``per_taxon.csv``, ``confusion.csv``, ``.png``, ...

    Evaluation on the test images of a run also updates the model card of its bundle.

    Args:
        run_or_bundle: a run, or a bundle; a bundle inside its run is evaluated on the run's split.
        on: ``train``, ``val`` or ``test`` of the split; with ``catalog`` also ``all``. OOD scores on train and val are
            too low, since OOD detection compares images with train and val.
        catalog: evaluate on the images of this catalog instead.
        out: folder for the results; by default ``<run>/evaluation/<on>``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        full: also run the slow measurements of ``leafid.trust.evaluation.extended``.
        on_progress: called with (images done, images in total).

    Raises:
        UsageError: there are no such images, or a bundle without its run was given neither ``catalog`` nor ``out``.
        RunError, BundleError, CatalogError: the run, bundle or catalog cannot be read.
        TaxonomyError: names in the catalog that are not among the bundle's taxa; all are listed.
        OutputError: the folder for the results cannot be written, or has files of somebody else.
        InstallationError: torch is not installed.
    """
    require_training()
    eval_set = load_eval_set(run_or_bundle, on, catalog, out)
    check_evaluation_folder(eval_set.out, inputs=[run_or_bundle, *([catalog] if catalog else [])])
    truth = eval_set.truth
    require_torch()
    predictions = predict(eval_set, device, on_progress)
    evaluation = _evaluation(eval_set, on, truth, predictions)
    if full and evaluation.read:
        evaluation = evaluation.model_copy(update=extended_results(eval_set, predictions, device))
    write_evaluation(evaluation, eval_set, predictions)
    return evaluation


def _evaluation(eval_set: EvalSet, on: str, truth: NDArray[np.int64], predictions: Predictions) -> Evaluation:
    info, read = eval_set.bundle.info, predictions.read
    taxonomy, rows = info.taxonomy, eval_set.rows[read]
    truth, probabilities, logits = truth[read], predictions.probabilities[read], predictions.logits[read]
    gatherings = eval_set.gatherings
    units = [unit for unit, is_read in zip(gatherings, read, strict=True) if is_read]
    predicted = probabilities.argmax(axis=1) if len(truth) else np.zeros(0, dtype=np.int64)
    identifications = [predictions.identifications[int(index)] for index in np.flatnonzero(read)]
    reasons = Counter(str(identification.reason) for identification in identifications if identification.reason)
    names = names_correct(identifications, truth, taxonomy)
    correct = names[~np.isnan(names)] == 1
    any_read = bool(len(truth))
    return Evaluation(
        bundle=info.identifier,
        on=on,
        created=datetime.now(UTC),
        leafid_version=__version__,
        images=len(read),
        read=int(read.sum()),
        gatherings=len(set(gatherings)),
        failures=_failures(eval_set.rows, predictions.failures),
        limits=info.trained_on.short,
        unseen_domains=info.trained_on.unseen_domains(eval_set.rows["domain"].fillna("")),
        **overall_results(truth, predicted, units),
        undetermined=int(np.isnan(names).sum()),
        undetermined_share=float(np.isnan(names).mean()) if any_read else None,
        accuracy_when_identified=float(correct.mean()) if len(correct) else None,
        wrong_when_identified=int((~correct).sum()),
        reasons=dict(reasons.most_common()),
        temperature=info.calibration.temperature,
        before_calibration=(
            calibration_results(calibrated_probabilities(logits, Calibration()), truth, units) if any_read else None
        ),
        calibration=calibration_results(probabilities, truth, units) if any_read else None,
        reliability=reliability(probabilities, truth) if any_read else (),
        prediction_sets=(
            prediction_set_results(probabilities, truth, units, info.prediction_sets)
            if any_read and info.prediction_sets
            else ()
        ),
        ranks=rank_results(truth, probabilities, identifications, taxonomy) if any_read else (),
        groups=(
            group_results(
                rows.assign(gathering_id=units, **_quality_columns(predictions)),
                truth,
                probabilities,
                identifications,
                taxonomy,
                info.prediction_sets,
            )
            if any_read
            else ()
        ),
        pairs=confused_pairs(list(rows["path"]), truth, predicted, probabilities, taxonomy),
        pooled=pooled_result(units, truth, probabilities) if any_read else None,
        taxa=taxon_results(truth, predicted, taxonomy, units),
        target=target_result(truth, probabilities, taxonomy, units),
        confusion=tuple(map(tuple, confusion_matrix(truth, predicted, len(taxonomy)).tolist())),
    )


def _quality_columns(predictions: Predictions) -> dict[str, list[float]]:
    """Return size and sharpness of the images that could be read, as columns."""
    qualities = [predictions.qualities[int(index)] for index in np.flatnonzero(predictions.read)]
    return {
        "shorterSide": [quality.shorter_side for quality in qualities],
        "sharpness": [quality.sharpness for quality in qualities],
    }


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
