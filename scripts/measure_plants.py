"""Measure what several photos of one plant gain: accuracy, calibration, coverage and refusals by number of photos.

Drawn plants have five sheets each, with other leaves of the same plant. Neighbouring photos of a run's test images are
those with consecutive numbers in their names; in leaf_remp they mostly show the same leaf, so that they gain little.
Folders of unknown plants (one folder per plant, or a table with the columns `path` and `plant`) show how many plants
that the bundle does not know are refused. Odd plants choose the correlation, even plants are reported.

    python scripts/measure_plants.py runs/demo --drawn 60 --sheets data/demo/plants
    python scripts/measure_plants.py runs/bench-remp --neighbours
    python scripts/measure_plants.py runs/bench-remp --unknown pairs.csv
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.demo import HERBARIA, draw_sheet, sheet_spec
from leafid.identify import Identifier, find_inputs, group_photos
from leafid.identify.photo_evidence import EvidenceReader, PhotoEvidence
from leafid.identify.pipeline import predict_in_order
from leafid.learning import Run
from leafid.trust import ood_scores, pool_photos, quality_reason
from leafid.trust.calibration import calibration_results
from leafid.trust.ood import l2_normalise
from leafid.trust.prediction_sets import prediction_sets

NUMBERS = (1, 2, 3, 5)
CORRELATIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
SHEETS = 5
DRAWN_SEED = 900
"""Unlike the seeds of `leafid demo`, so that no drawn plant was trained on."""


@dataclass(frozen=True)
class MeasuredPlant:
    """A plant with what the bundle says about each of its photos.

    Attributes:
        truth: label; -1 for a taxon that the bundle does not know.
        photos: suitable photos, in order.
    """

    truth: int
    photos: tuple[PhotoEvidence, ...]


def draw_plants(count: int, out: Path) -> list[tuple[str, list[Path]]]:
    """Draw five sheets of each plant, if they are not there, and return taxon and sheets of each plant."""
    plants = []
    for number in range(count):
        spec = sheet_spec(number, seed=DRAWN_SEED, px_per_mm=4.0)
        paths = [out / f"{number:03}" / f"{sheet}.jpg" for sheet in range(SHEETS)]
        for sheet, path in enumerate(paths):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                own = replace(spec, index=100_000 + SHEETS * number + sheet, herbarium=HERBARIA[sheet % len(HERBARIA)])
                Image.fromarray(draw_sheet(own).image).save(path, quality=90)
        plants.append((spec.taxon, paths))
    return plants


def neighbours(run: Run) -> list[tuple[str, list[Path]]]:
    """Return taxon and up to five consecutive photos of the test images, without overlap."""
    rows = run.split[run.split["split"] == "test"]
    runs: dict[str, list[tuple[int, Path]]] = {}
    for taxon, path in zip(rows["scientificName"], run.image_paths(rows), strict=True):
        number = re.search(r"(\d+)", path.stem)
        if number:
            runs.setdefault(taxon, []).append((int(number[1]), path))
    plants = []
    for taxon, photos in runs.items():
        ordered = iter([path for _, path in sorted(photos)])
        while len(block := list(islice(ordered, SHEETS))) == SHEETS:
            plants.append((taxon, block))
    return plants


def measure(identifier: Identifier, plants: Sequence[tuple[int, Sequence[Path]]]) -> list[MeasuredPlant]:
    """Return what the bundle says about the photos of each plant; photos that are unsuitable are left out."""
    reader = EvidenceReader(identifier.info, identifier.engine, identifier.training)
    paths = [path for _, photos in plants for path in photos]
    batches = predict_in_order(
        paths,
        identifier.info.preprocessing,
        lambda batch: [one.without_views() if isinstance(one, PhotoEvidence) else one for one in reader.read(batch)],
        batch_size=identifier.batch_size(),
        workers=identifier.cores,
        concurrency=identifier.engine.concurrency,
    )
    evidence = (photo for batch in batches for photo in batch)
    measured = []
    for truth, photos in plants:
        own = [photo for photo in islice(evidence, len(photos)) if isinstance(photo, PhotoEvidence)]
        suitable = [photo for photo in own if quality_reason(identifier.info, photo.quality) is None]
        measured.append(MeasuredPlant(truth, tuple(suitable)))
    return measured


def sets_of(plants: Iterable[MeasuredPlant], number: int) -> list[tuple[int, int, tuple[PhotoEvidence, ...]]]:
    """Return plant, truth and photos of every run of so many photos, in a ring, of plants that have so many."""
    return [
        (index, plant.truth, tuple((plant.photos * 2)[start : start + number]))
        for index, plant in enumerate(plants)
        if len(plant.photos) >= number
        for start in range(len(plant.photos))
    ]


def pooled(sets: Sequence[tuple[int, int, tuple[PhotoEvidence, ...]]], correlation: float) -> NDArray[np.float64]:
    """Return the probabilities of each set of photos: (N, T)."""
    return np.stack([pool_photos(np.stack([one.probabilities for one in photos]), correlation) for *_, photos in sets])


def report(identifier: Identifier, plants: Sequence[MeasuredPlant], correlation: float) -> None:
    """Print accuracy, calibration and coverage by number of photos."""
    info = identifier.info
    for number in NUMBERS:
        sets = sets_of(plants, number)
        if not sets:
            continue
        truth = np.array([label for _, label, _ in sets])
        rows = pooled(sets, correlation)
        units = [str(index) for index, *_ in sets]
        calibration = calibration_results(rows, truth, units)
        line = (
            f"  {number} photos, {len(set(units))} plants: accuracy {(rows.argmax(axis=1) == truth).mean():.3f}, "
            f"ECE {calibration.ece:.3f}, NLL {calibration.nll:.3f}"
        )
        best, right = rows.max(axis=1), rows.argmax(axis=1) == truth
        named = best >= info.decision.min_probability
        line += f"; named {named.mean():.3f}, {right[named].mean() if named.any() else float('nan'):.3f} of them right"
        if info.prediction_sets is not None:
            members = prediction_sets(rows, info.prediction_sets)
            covered = members[np.arange(len(truth)), truth].mean()
            line += f"; sets cover {covered:.3f} with {members.sum(axis=1).mean():.2f} taxa"
        print(f"{line}; OOD accepted {_accepted(identifier, sets)}")


def _accepted(identifier: Identifier, sets: Sequence[tuple[int, int, tuple[PhotoEvidence, ...]]]) -> str:
    """Return the share of sets that are accepted by the mean OOD score, and by that of the mean embedding."""
    detector, training = identifier.info.ood_detector, identifier.training
    if detector is None or training is None:
        return "-"
    mean = np.array([np.mean([photo.ood_score or 0.0 for photo in photos]) for *_, photos in sets])
    embeddings = np.stack(
        [l2_normalise(np.stack([photo.embedding for photo in photos])).mean(axis=0) for *_, photos in sets]
    )
    logits = np.zeros((len(sets), len(identifier.info.taxonomy)))  # only scores of embeddings are compared here
    of_mean = ood_scores(detector.score, logits, embeddings, training)
    return f"{(mean <= detector.threshold).mean():.3f} (mean embedding {(of_mean <= detector.threshold).mean():.3f})"


def best_correlation(plants: Sequence[MeasuredPlant]) -> float:
    """Print the negative log-likelihood by correlation over 2, 3 and 5 photos; return the best correlation."""
    losses = {}
    for correlation in CORRELATIONS:
        nll = []
        for number in NUMBERS[1:]:
            sets = sets_of(plants, number)
            if sets:
                truth = np.array([label for _, label, _ in sets])
                nll.append(-np.log(pooled(sets, correlation)[np.arange(len(sets)), truth]).mean())
        losses[correlation] = float(np.mean(nll))
    print("NLL by correlation (odd plants):", {key: round(value, 3) for key, value in losses.items()})
    return min(losses, key=lambda correlation: losses[correlation])


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="run or bundle")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--drawn", type=int, metavar="PLANTS", help="draw so many plants")
    parser.add_argument("--sheets", type=Path, default=Path("data/drawn-plants"), help="folder of the drawn sheets")
    parser.add_argument("--neighbours", action="store_true", help="neighbouring test images of the run")
    parser.add_argument("--unknown", type=Path, help="folder of folders, or table, of unknown plants")
    options = parser.parse_args()
    identifier = Identifier.load(options.bundle, device="cpu", engine=options.engine)
    labels = {name: label for label, name in enumerate(identifier.info.taxonomy.names)}
    if options.unknown:
        by = "plant" if options.unknown.is_file() else "folder"
        found = group_photos(find_inputs([options.unknown]).paths, by, arguments=[options.unknown])
        plants = measure(identifier, [(-1, [Path(str(photo)) for photo in plant.photos]) for plant in found])
        for number in NUMBERS:
            if sets := sets_of(plants, number):
                print(f"  {number} photos, {len(sets)} sets of unknown plants: accepted {_accepted(identifier, sets)}")
        return
    known = draw_plants(options.drawn, options.sheets) if options.drawn else neighbours(Run.open(options.bundle))
    plants = measure(identifier, [(labels[taxon], photos) for taxon, photos in known])
    best = best_correlation(plants[1::2])
    for correlation in sorted({0.0, 0.5, 1.0, best}):
        print(f"Even plants, correlation {correlation}{' (best on odd plants)' if correlation == best else ''}:")
        report(identifier, plants[::2], correlation)


if __name__ == "__main__":
    main()
