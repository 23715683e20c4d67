"""Measure what several photos of one plant gain: accuracy, calibration, coverage and refusals by number of photos.

Drawn plants have five sheets each, with other leaves of the same plant. Neighbouring photos of a run's test images are
those with consecutive numbers in their names; in leaf_remp they mostly show the same leaf. Odd plants choose the
correlation, even plants are reported. At the end each taxon in turn is taken for unknown: its images are taken out of
the references, and the OOD score of its plants is that of its photos on average, or that of their mean embedding.

    python scripts/measure_plants.py runs/demo --drawn 48 --sheets data/demo/plants
    python scripts/measure_plants.py runs/bench-remp --neighbours
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

from leafid.bundle import OodDetector
from leafid.demo import HERBARIA, draw_sheet, sheet_spec
from leafid.identify import Identifier
from leafid.identify.evidence.photo_evidence import EvidenceReader, PhotoEvidence
from leafid.identify.evidence.pipeline import predict_in_order
from leafid.learning import Run
from leafid.trust import TrainingFeatures, l2_normalise, pool_photos, quality_reason
from leafid.trust.calibration import calibration_results
from leafid.trust.ood import combined_scores, part_scores
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
        truth: label.
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
    info = identifier.info
    reader = EvidenceReader(info, identifier.engine, identifier.training)
    paths = [path for _, photos in plants for path in photos]
    batches = predict_in_order(
        paths,
        info.preprocessing,
        lambda batch: [one.without_views() if isinstance(one, PhotoEvidence) else one for one in reader.read(batch)],
        batch_size=identifier.batch_size(),
        workers=identifier.cores,
        concurrency=identifier.engine.concurrency,
    )
    evidence = (photo for batch in batches for photo in batch)
    measured = []
    for truth, photos in plants:
        own = [photo for photo in islice(evidence, len(photos)) if isinstance(photo, PhotoEvidence)]
        suitable = [
            photo
            for photo in own
            if quality_reason(info.decision, photo.quality, detector=info.ood_detector, ood_score=photo.ood_score)
            is None
        ]
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
        print(line)


def report_unknown(identifier: Identifier, plants: Sequence[MeasuredPlant]) -> None:
    """Print the shares of plants that are accepted where each taxon in turn is unknown, by number of photos.

    The threshold accepts 95 % of single photos of the other taxa.
    """
    detector, training = identifier.info.ood_detector, identifier.training
    if detector is None or training is None or detector.score in ("max_probability", "energy"):
        return  # scores of the logits do not depend on the references
    shares: dict[tuple[int, str, str], list[float]] = {}
    for label in sorted({plant.truth for plant in plants}):
        others = training.labels != label
        score = _Score(detector, TrainingFeatures(training.features[others], training.labels[others]))
        photos = [photo for plant in plants if plant.truth != label for photo in plant.photos]
        threshold = np.quantile(score.of([photo.embedding for photo in photos]), 0.95)
        for number in NUMBERS:
            sets = sets_of(plants, number)
            unknown = np.array([truth == label for _, truth, _ in sets])
            single = score.of([photo.embedding for *_, photos in sets for photo in photos])
            values = {
                "mean score": single.reshape(len(sets), number).mean(axis=1),
                "mean embedding": score.of([_mean_embedding(photos) for *_, photos in sets]),
            }
            for name, value in values.items():
                for kind, chosen in (("known", ~unknown), ("unknown", unknown)):
                    shares.setdefault((number, name, kind), []).append(float((value[chosen] <= threshold).mean()))
    print("Each taxon unknown in turn, share of plants accepted:")
    for (number, name, kind), values_of_taxa in shares.items():
        print(f"  {number} photos, {name}, {kind}: {np.nanmean(values_of_taxa):.3f}")


@dataclass(frozen=True)
class _Score:
    """An OOD score that depends on embeddings alone; its distributions do not leave out nuisance directions here."""

    detector: OodDetector
    training: TrainingFeatures

    def of(self, embeddings: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Return the score of each embedding: (N,)."""
        logits = np.zeros((len(embeddings), 1))
        parts = part_scores(self.detector.scores, logits, np.stack(embeddings), self.training)
        return combined_scores(self.detector.parts, parts)


def _mean_embedding(photos: Sequence[PhotoEvidence]) -> NDArray[np.float32]:
    return np.asarray(l2_normalise(np.stack([photo.embedding for photo in photos])).mean(axis=0))


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
    options = parser.parse_args()
    identifier = Identifier.load(options.bundle, device="cpu", engine=options.engine)
    labels = {name: label for label, name in enumerate(identifier.info.taxonomy.names)}
    known = draw_plants(options.drawn, options.sheets) if options.drawn else neighbours(Run.open(options.bundle))
    plants = measure(identifier, [(labels[taxon], photos) for taxon, photos in known])
    best = best_correlation(plants[1::2])
    for correlation in sorted({0.0, 0.5, 1.0, best}):
        print(f"Even plants, correlation {correlation}{' (best on odd plants)' if correlation == best else ''}:")
        report(identifier, plants[::2], correlation)
    report_unknown(identifier, plants)


if __name__ == "__main__":
    main()
