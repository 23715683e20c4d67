"""Measure a bundle on images it was not trained on, and write down what was measured."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, read_bundle
from leafid.catalog import image_paths, read_catalog
from leafid.curation import SPLITS
from leafid.errors import ImageError, UsageError
from leafid.files import write_text, written_atomically
from leafid.progress import OnProgress
from leafid.trust.confusion import draw_confusion
from leafid.trust.decision import decide
from leafid.trust.figures import Evaluation, Failure
from leafid.trust.measures import against_rest, by_taxon, confusion_matrix, overall
from leafid.trust.probabilities import probabilities
from leafid.version import __version__

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Asked:
    """What is measured on what: a bundle, rows of a split or catalog, their files, and the folder for the results."""

    bundle: Bundle
    rows: "pd.DataFrame"
    files: list[Path]
    out: Path


def evaluate(
    run_or_bundle: Path,
    *,
    on: str = "test",
    catalog: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measure a bundle; write ``evaluation.json``, ``per_taxon.csv``, ``confusion.csv``, ``.png``, ``predictions.csv``.

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
    from leafid.learning import choose_device, logits_of, network_of

    asked = _asked(run_or_bundle, on, catalog, out)
    info, taxonomy = asked.bundle.info, asked.bundle.info.taxonomy
    truth = np.array(taxonomy.labels(list(asked.rows["scientificName"])), dtype=np.int64)
    logits = logits_of(
        network_of(asked.bundle),
        asked.files,
        info.preprocessing,
        device=choose_device(device),
        on_progress=on_progress,
    )
    scores = probabilities(logits.values, info.calibration)
    read = ~np.isnan(scores).any(axis=1)
    predicted = np.full(len(truth), -1, dtype=np.int64)
    predicted[read] = scores[read].argmax(axis=1)
    named = np.array([not np.isnan(row).any() and decide(row, info).identified for row in scores])
    undetermined = int((read & ~named).sum())
    evaluation = Evaluation(
        bundle=info.identifier,
        on=on,
        created=datetime.now(UTC),
        leafid_version=__version__,
        images=len(truth),
        read=int(read.sum()),
        gatherings=_gatherings(asked.rows),
        failures=_failures(asked.rows, logits.failures),
        **overall(truth[read], predicted[read]),
        undetermined=undetermined,
        undetermined_share=undetermined / int(read.sum()) if read.any() else None,
        accuracy_when_identified=float((truth == predicted)[named].mean()) if named.any() else None,
        taxa=by_taxon(truth[read], predicted[read], taxonomy),
        target=against_rest(truth[read], scores[read], taxonomy),
        confusion=tuple(map(tuple, confusion_matrix(truth[read], predicted[read], len(taxonomy)).tolist())),
    )
    _write(evaluation, asked, scores, logits.failures)
    return evaluation


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
    return _Asked(read_bundle(run.bundle_folder), rows, run.image_paths(rows), out or run.folder / "evaluation" / on)


def _gatherings(rows: "pd.DataFrame") -> int:
    """Count gatherings; an image without one is its own."""
    return int(rows["gathering_id"].fillna(rows["image_id"]).nunique())


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


def _write(evaluation: Evaluation, asked: _Asked, scores: NDArray[np.float64], failures: dict[int, ImageError]) -> None:
    """Write all files of an evaluation; ``evaluation.json`` comes last, so that a folder with it is complete."""
    import pandas as pd

    names = asked.bundle.info.taxonomy.names
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "evaluation.json").unlink(missing_ok=True)
    _write_csv(pd.DataFrame([taxon.model_dump() for taxon in evaluation.taxa]), asked.out / "per_taxon.csv")
    confusion = pd.DataFrame(evaluation.confusion, columns=list(names))
    confusion.insert(0, "determination", list(names))
    _write_csv(confusion, asked.out / "confusion.csv")
    accuracy = "" if evaluation.accuracy is None else f", accuracy {evaluation.accuracy:.3f}"
    title = f"{evaluation.bundle} on {evaluation.on}: {evaluation.read:,} images{accuracy}"
    draw_confusion(evaluation.confusion, names, title, asked.out / "confusion.png")
    _write_csv(_predictions(asked, scores, failures), asked.out / "predictions.csv")
    write_text(asked.out / "evaluation.json", evaluation.model_dump_json(indent=2) + "\n")


def _predictions(asked: _Asked, scores: NDArray[np.float64], failures: dict[int, ImageError]) -> "pd.DataFrame":
    """One row per image: its determination, the answer, and the probability of every taxon."""
    import pandas as pd

    names = asked.bundle.info.taxonomy.names
    answers: list[tuple[str, str | None, float | None, str | None]] = []
    for index, row in enumerate(scores):
        if index in failures:
            answers.append(("failed", None, None, str(failures[index])))
            continue
        verdict = decide(row, asked.bundle.info)
        status = "identified" if verdict.identified else "undetermined"
        answers.append((status, names[verdict.candidates[0][0]], verdict.score, verdict.reason))
    answer = pd.DataFrame(answers, columns=["status", "most_probable", "score", "reason"], index=asked.rows.index)
    columns = asked.rows[["image_id", "path", "gathering_id", "scientificName"]]
    each = pd.DataFrame(scores, columns=[f"probability of {name}" for name in names], index=asked.rows.index)
    return pd.concat([columns, answer, each], axis="columns")


def _write_csv(frame: "pd.DataFrame", path: Path) -> None:
    with written_atomically(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
