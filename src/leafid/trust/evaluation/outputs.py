"""The output files of an evaluation."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.bundle import CARD
from leafid.destinations import Destination, check_destinations, contains_only
from leafid.files import write_text
from leafid.tables import write_frame
from leafid.trust.evaluation.eval_set import EvalSet
from leafid.trust.evaluation.plots import write_confusion_matrix
from leafid.trust.evaluation.predictions import Predictions
from leafid.trust.evaluation.report import write_report
from leafid.trust.evaluation_schema import Evaluation
from leafid.trust.model_card import calibrated_card

if TYPE_CHECKING:
    import pandas as pd


FILES = ("evaluation.html", "evaluation.json", "per_taxon.csv", "confusion.csv", "confusion.png", "predictions.csv")
"""What an evaluation writes."""


def check_evaluation_folder(folder: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Check early that an evaluation can be written to a folder; an earlier evaluation there is replaced.

    Raises:
        OutputError: it cannot be written, or has other files than those of an evaluation.
    """
    destination = Destination("--out", folder, _is_evaluation, "folder")
    check_destinations([destination], inputs=inputs, existing="replace")


def write_evaluation(evaluation: Evaluation, eval_set: EvalSet, predictions: Predictions) -> None:
    """Write all files of an evaluation; ``evaluation.json`` comes last, so that a folder that has one is complete."""
    import pandas as pd

    names = eval_set.bundle.info.taxonomy.names
    eval_set.out.mkdir(parents=True, exist_ok=True)
    (eval_set.out / "evaluation.json").unlink(missing_ok=True)
    write_frame(pd.DataFrame([_flat(taxon.model_dump()) for taxon in evaluation.taxa]), eval_set.out / "per_taxon.csv")
    confusion = pd.DataFrame(evaluation.confusion, columns=list(names))
    confusion.insert(0, "determination", list(names))
    write_frame(confusion, eval_set.out / "confusion.csv")
    accuracy = "" if evaluation.accuracy is None else f", accuracy {evaluation.accuracy:.3f}"
    title = f"{evaluation.bundle} on {evaluation.on}: {evaluation.read:,} images{accuracy}"
    write_confusion_matrix(evaluation.confusion, names, title, evaluation.limits, eval_set.out / "confusion.png")
    write_frame(_prediction_table(eval_set, predictions), eval_set.out / "predictions.csv")
    info = eval_set.bundle.info
    files = dict(zip(eval_set.rows["path"], eval_set.files, strict=True))
    write_report(
        eval_set.out / "evaluation.html",
        evaluation,
        truth=eval_set.truth[predictions.read],
        probabilities=predictions.probabilities[predictions.read],
        taxonomy=info.taxonomy,
        files=files,
        limits=info.trained_on.long,
    )
    if eval_set.run is not None and evaluation.on == "test":
        write_text(eval_set.bundle.folder / CARD, calibrated_card(info, eval_set.run.split, evaluation))
    write_text(eval_set.out / "evaluation.json", evaluation.model_dump_json(indent=2) + "\n")


def _flat(values: dict[str, object]) -> dict[str, object]:
    """Split each interval into two columns, for its lower and upper end."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if name.endswith("_interval"):
            ends = value if isinstance(value, tuple) else (None, None)
            flat[name.replace("_interval", "_low")], flat[name.replace("_interval", "_high")] = ends
        else:
            flat[name] = value
    return flat


def _prediction_table(eval_set: EvalSet, predictions: Predictions) -> "pd.DataFrame":
    """Return one row per image: its determination, the identification, and the probability of every taxon."""
    import pandas as pd

    names = eval_set.bundle.info.taxonomy.names
    values: list[tuple[str | float | None, ...]] = []
    for index in range(len(predictions.probabilities)):
        if index in predictions.failures:
            values.append(("failed", None, None, None, None, str(predictions.failures[index])))
            continue
        identification = predictions.identifications[index]
        status = "identified" if identification.identified else "undetermined"
        labels = identification.prediction_set
        values.append(
            (
                status,
                identification.name,
                names[identification.candidates[0][0]],
                identification.probability,
                None if labels is None else "; ".join(names[label] for label in labels),
                identification.reason,
            )
        )
    columns = ["status", "named", "most_probable", "probability", "prediction_set", "reason"]
    identified = pd.DataFrame(values, columns=columns, index=eval_set.rows.index)
    images = eval_set.rows[["image_id", "path", "gathering_id", "scientificName"]]
    probabilities = pd.DataFrame(
        predictions.probabilities, columns=[f"probability of {name}" for name in names], index=eval_set.rows.index
    )
    return pd.concat([images, identified, probabilities], axis="columns")


def _is_evaluation(folder: Path) -> bool:
    """Whether a folder has a finished evaluation, or parts of one alone."""
    return (folder / "evaluation.json").is_file() or contains_only(*map(re.escape, FILES))(folder)
