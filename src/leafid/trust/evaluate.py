"""Measure a bundle on images it was not trained on, and write down what was measured."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import CARD, Bundle, Calibration, read_bundle
from leafid.catalog import image_paths, read_catalog
from leafid.curation import SPLITS
from leafid.errors import CatalogError, ImageError, UsageError
from leafid.files import write_text, written_atomically
from leafid.progress import OnProgress
from leafid.trust.calibration import calibration_figures, reliability
from leafid.trust.confusion import draw_confusion
from leafid.trust.decision import Verdict, decide
from leafid.trust.familiarity import TrainingFeatures, familiarity
from leafid.trust.figures import Evaluation, Failure
from leafid.trust.image_quality import image_quality
from leafid.trust.measures import against_rest, by_taxon, confusion_matrix, overall
from leafid.trust.model_card import measured_card
from leafid.trust.parts import by_group, by_rank, pooled, worst_pairs
from leafid.trust.prediction_sets import set_figures
from leafid.trust.probabilities import probabilities
from leafid.trust.report import write_report
from leafid.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run


@dataclass(frozen=True)
class _Asked:
    """What is measured on what: a bundle, rows of a split or catalog, their files, and the folder for the results."""

    bundle: Bundle
    rows: "pd.DataFrame"
    files: list[Path]
    out: Path
    run: "Run | None" = None


@dataclass(frozen=True)
class _Answered:
    """What came out: logits (N, T), NaN where a file could not be read; a verdict for each that could."""

    logits: NDArray[np.float32]
    scores: NDArray[np.float64]
    verdicts: dict[int, Verdict]
    failures: dict[int, ImageError]

    @property
    def read(self) -> NDArray[np.bool_]:
        return np.asarray(~np.isnan(self.scores).any(axis=1))


def evaluate(
    run_or_bundle: Path,
    *,
    on: str = "test",
    catalog: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measure a bundle; write ``evaluation.html``, ``.json``, ``per_taxon.csv``, ``confusion.csv``, ``.png``, ...

    The model card of a run's bundle is written anew with what was measured on its test images.

    Args:
        run_or_bundle: a run, or a bundle; a bundle that lies in its run is measured on the run's split.
        on: ``train``, ``val`` or ``test`` of the split; with ``catalog`` also ``all``.
        catalog: measure on the images of this catalog instead.
        out: where to write; by default ``<run>/evaluation/<on>``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        on_progress: called with (images done, images in all).

    Raises:
        UsageError: there are no such images, or a bundle without its run was given neither ``catalog`` nor ``out``.
        RunError, BundleError, CatalogError: what is named cannot be read.
        TaxonomyError: a name in the catalog is not among the bundle's taxa; all are listed.
    """
    asked = _asked(run_or_bundle, on, catalog, out)
    truth = np.array(asked.bundle.info.taxonomy.labels(list(asked.rows["scientificName"])), dtype=np.int64)
    answered = _answered(asked, device, on_progress)
    evaluation = _evaluation(asked, on, truth, answered)
    _write(evaluation, asked, answered)
    return evaluation


def _evaluation(asked: _Asked, on: str, truth: NDArray[np.int64], answered: _Answered) -> Evaluation:
    info, read = asked.bundle.info, answered.read
    taxonomy, rows = info.taxonomy, asked.rows[read]
    truth, scores, logits = truth[read], answered.scores[read], answered.logits[read]
    gatherings = _gatherings(asked.rows)
    units = [unit for unit, there in zip(gatherings, read, strict=True) if there]
    predicted = scores.argmax(axis=1) if len(truth) else np.zeros(0, dtype=np.int64)
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
        before_calibration=(calibration_figures(probabilities(logits, Calibration()), truth, units) if there else None),
        calibration=calibration_figures(scores, truth, units) if there else None,
        reliability=reliability(scores, truth) if there else (),
        prediction_sets=(
            set_figures(scores, truth, units, info.prediction_sets) if there and info.prediction_sets else ()
        ),
        ranks=by_rank(truth, scores, verdicts, taxonomy) if there else (),
        groups=by_group(rows.assign(gathering_id=units), truth, predicted, verdicts) if there else (),
        pairs=worst_pairs(list(rows["path"]), truth, predicted, scores, taxonomy),
        pooled=pooled(units, truth, scores) if there else None,
        taxa=by_taxon(truth, predicted, taxonomy, units),
        target=against_rest(truth, scores, taxonomy, units),
        confusion=tuple(map(tuple, confusion_matrix(truth, predicted, len(taxonomy)).tolist())),
    )


def _answered(asked: _Asked, device: str, on_progress: OnProgress | None) -> _Answered:
    """Ask the network about every file, and decide as identification does."""
    from leafid.learning import answers_of, choose_device, network_of

    info = asked.bundle.info
    answers = answers_of(
        network_of(asked.bundle),
        asked.files,
        info.preprocessing,
        device=choose_device(device),
        look=partial(image_quality, preprocessing=info.preprocessing),
        on_progress=on_progress,
    )
    scores = probabilities(answers.logits, info.calibration)
    read = np.flatnonzero(~np.isnan(scores).any(axis=1))
    training = TrainingFeatures.of_bundle(asked.bundle) if info.unknowns is not None else None
    familiarities: list[float | None] = [None] * len(read)
    if training is not None and info.unknowns is not None and len(read):
        values = familiarity(info.unknowns.score, answers.logits[read], answers.embeddings[read], training)
        familiarities = [float(value) for value in values]
    verdicts = {
        int(place): decide(scores[place], info, familiarity=familiar, quality=answers.looks[int(place)])
        for place, familiar in zip(read, familiarities, strict=True)
    }
    return _Answered(answers.logits, scores, verdicts, answers.failures)


def _asked(path: Path, on: str, catalog: Path | None, out: Path | None) -> _Asked:
    """Find the bundle, the images and the place for the results."""
    from leafid.learning import Run

    known = SPLITS if catalog is None else (*SPLITS, "all")
    if on not in known:
        raise UsageError(f"--on {on}: choose {', '.join(known[:-1])} or {known[-1]}.")
    inside = path.parent if path.name == "bundle" else path.resolve().parent
    run_folder = path if Run.is_there(path) else inside if Run.is_there(inside) else None
    if catalog is not None:
        bundle = read_bundle(path)
        rows = read_catalog(catalog)
        rows = rows if on == "all" else rows[rows["split"] == on]
        if rows.empty:
            raise UsageError(
                f"{catalog} has no image with {on!r} in its column split. To take every image, use --on all."
            )
        if out is None:
            raise UsageError("Name a folder for the results of a catalog with --out.")
        return _Asked(bundle, rows, image_paths(rows, catalog), out)
    if run_folder is None:
        bundle = read_bundle(path)
        raise UsageError(
            f"{bundle.folder} lies outside its run, so it is not known which images it has not seen. "
            "Name the run instead, or a catalog with --catalog."
        )
    run = Run.open(run_folder)
    split = run.split
    rows = split[split["split"] == on]
    if rows.empty:
        raise UsageError(f"The split of {run.folder} has no {on} images; see curation.split.{on} in its job.yaml.")
    files = run.image_paths(rows)
    return _Asked(
        read_bundle(run.bundle_folder), _with_catalog(rows, run), files, out or run.folder / "evaluation" / on, run
    )


def _with_catalog(rows: "pd.DataFrame", run: "Run") -> "pd.DataFrame":
    """Add what only the catalog says and the report groups by; a run may have been copied without its catalog."""
    try:
        catalog = read_catalog(run.info.catalog).set_index("image_id")
    except CatalogError:
        return rows
    known = catalog.reindex(rows["image_id"])
    return rows.assign(**{column: known[column].to_numpy() for column in ("domain", "eventDate")})


def _gatherings(rows: "pd.DataFrame") -> list[str]:
    """The gathering of each image; an image without one is its own."""
    return list(rows["gathering_id"].fillna(rows["image_id"]))


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


def _write(evaluation: Evaluation, asked: _Asked, answered: _Answered) -> None:
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
    truth = np.array(asked.bundle.info.taxonomy.labels(list(asked.rows["scientificName"])), dtype=np.int64)
    files = dict(zip(asked.rows["path"], asked.files, strict=True))
    write_report(
        asked.out / "evaluation.html",
        evaluation,
        truth=truth[answered.read],
        scores=answered.scores[answered.read],
        taxonomy=asked.bundle.info.taxonomy,
        files=files,
    )
    if asked.run is not None and evaluation.on == "test":
        write_text(asked.bundle.folder / CARD, measured_card(asked.bundle.info, asked.run.split, evaluation))
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


def _predictions(asked: _Asked, answered: _Answered) -> "pd.DataFrame":
    """One row per image: its determination, the answer, and the probability of every taxon."""
    import pandas as pd

    names = asked.bundle.info.taxonomy.names
    answers: list[tuple[str | float | None, ...]] = []
    for index in range(len(answered.scores)):
        if index in answered.failures:
            answers.append(("failed", None, None, None, None, str(answered.failures[index])))
            continue
        verdict = answered.verdicts[index]
        status = "identified" if verdict.identified else "undetermined"
        members = None if verdict.prediction_set is None else "; ".join(names[one] for one in verdict.prediction_set)
        answers.append((status, verdict.name, names[verdict.candidates[0][0]], verdict.score, members, verdict.reason))
    columns = ["status", "named", "most_probable", "score", "prediction_set", "reason"]
    answer = pd.DataFrame(answers, columns=columns, index=asked.rows.index)
    given = asked.rows[["image_id", "path", "gathering_id", "scientificName"]]
    each = pd.DataFrame(answered.scores, columns=[f"probability of {name}" for name in names], index=asked.rows.index)
    return pd.concat([given, answer, each], axis="columns")


def _write_csv(frame: "pd.DataFrame", path: Path) -> None:
    with written_atomically(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
