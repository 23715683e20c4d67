"""The files of an evaluation."""

from pathlib import Path
from typing import TYPE_CHECKING

from leafid.bundle import CARD
from leafid.files import write_text, written_atomically
from leafid.trust.evaluation.confusion import draw_confusion
from leafid.trust.evaluation.eval_set import EvalSet
from leafid.trust.evaluation.predictions import Predictions
from leafid.trust.evaluation.report import write_report
from leafid.trust.evaluation_results import Evaluation
from leafid.trust.model_card import calibrated_card

if TYPE_CHECKING:
    import pandas as pd


def write_evaluation(evaluation: Evaluation, asked: EvalSet, answered: Predictions) -> None:
    """Write all files of an evaluation; ``evaluation.json`` comes last, so that a folder with it is complete."""
    import pandas as pd

    names = asked.bundle.info.taxonomy.names
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "evaluation.json").unlink(missing_ok=True)
    _write_csv(pd.DataFrame([_flat(taxon.model_dump()) for taxon in evaluation.taxa]), asked.out / "per_taxon.csv")
    confusion = pd.DataFrame(evaluation.confusion, columns=list(names))
    confusion.insert(0, "determination", list(names))
    _write_csv(confusion, asked.out / "confusion.csv")
    accuracy = "" if evaluation.accuracy is None else f", accuracy {evaluation.accuracy:.3f}"
    title = f"{evaluation.bundle} on {evaluation.on}: {evaluation.read:,} images{accuracy}"
    draw_confusion(evaluation.confusion, names, title, asked.out / "confusion.png")
    _write_csv(_predictions(asked, answered), asked.out / "predictions.csv")
    files = dict(zip(asked.rows["path"], asked.files, strict=True))
    write_report(
        asked.out / "evaluation.html",
        evaluation,
        truth=asked.truth[answered.read],
        probabilities=answered.probabilities[answered.read],
        taxonomy=asked.bundle.info.taxonomy,
        files=files,
    )
    if asked.run is not None and evaluation.on == "test":
        write_text(asked.bundle.folder / CARD, calibrated_card(asked.bundle.info, asked.run.split, evaluation))
    write_text(asked.out / "evaluation.json", evaluation.model_dump_json(indent=2) + "\n")


def _flat(values: dict[str, object]) -> dict[str, object]:
    """Give each end of an interval a column of its own."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if name.endswith("_interval"):
            ends = value if isinstance(value, tuple) else (None, None)
            flat[name.replace("_interval", "_low")], flat[name.replace("_interval", "_high")] = ends
        else:
            flat[name] = value
    return flat


def _predictions(asked: EvalSet, answered: Predictions) -> "pd.DataFrame":
    """One row per image: its determination, the answer, and the probability of every taxon."""
    import pandas as pd

    names = asked.bundle.info.taxonomy.names
    answers: list[tuple[str | float | None, ...]] = []
    for index in range(len(answered.probabilities)):
        if index in answered.failures:
            answers.append(("failed", None, None, None, None, str(answered.failures[index])))
            continue
        verdict = answered.verdicts[index]
        status = "identified" if verdict.identified else "undetermined"
        members = None if verdict.prediction_set is None else "; ".join(names[one] for one in verdict.prediction_set)
        answers.append(
            (status, verdict.name, names[verdict.candidates[0][0]], verdict.probability, members, verdict.reason)
        )
    columns = ["status", "named", "most_probable", "probability", "prediction_set", "reason"]
    answer = pd.DataFrame(answers, columns=columns, index=asked.rows.index)
    given = asked.rows[["image_id", "path", "gathering_id", "scientificName"]]
    each = pd.DataFrame(
        answered.probabilities, columns=[f"probability of {name}" for name in names], index=asked.rows.index
    )
    return pd.concat([given, answer, each], axis="columns")


def _write_csv(frame: "pd.DataFrame", path: Path) -> None:
    with written_atomically(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
