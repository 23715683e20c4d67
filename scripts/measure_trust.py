"""Compare ways to tell the unknown, and measure what temperature and prediction sets are worth when nothing has moved.

Unknown taxa, in one table: known are the test images of a job's run, unknown are images of a folder, and then, three
times over, four of the job's own taxa that were held out. A network that has been trained on all taxa cannot be asked
about held-out ones; there, features of the untrained backbone (ImageNet weights) with a logistic head stand in, which
takes minutes instead of hours and says less about a fine-tuned network.

Calibration on halves: the test images are divided by block many times, temperature and thresholds are fitted on one
half and measured on the other. What is better there than from val to test is owed to the way val was chosen.

    python scripts/measure_trust.py runs/bench-remp --unknown ../shared/sheets/unknown_species \
        --blocks ../shared/bench/manifest.csv --held-out
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leafid.bundle import Bundle, Calibration, read_bundle
from leafid.images import IMAGE_ENDINGS
from leafid.learning import Network, Run, answers_of, choose_device, network_of
from leafid.learning.pretrained import start_network
from leafid.sheets import prepare_file
from leafid.trust.calibration import Known, calibration_figures, fit_calibration
from leafid.trust.familiarity import FAMILIARITY_SCORES, TrainingFeatures, accepting_threshold, familiarity
from leafid.trust.heat_maps import explain, faithfulness
from leafid.trust.prediction_sets import fit_prediction_sets, set_figures
from leafid.trust.probabilities import probabilities

HELD_OUT, ROTATIONS, HALVES, ACCEPTED = 4, 3, 50, 0.95
PENALTIES = (0.0, 0.01, 0.05)


@dataclass(frozen=True)
class Seen:
    """Images, what is known of them, and what a network says about them."""

    rows: pd.DataFrame
    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> Seen:
        """Return some of the images."""
        return Seen(self.rows[chosen], self.logits[chosen], self.features[chosen])

    def labels(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the labels (N,) of the images among these names."""
        return np.array([names.index(name) for name in self.rows["scientificName"]], dtype=np.int64)


def seen(network: Network, run: Run, rows: pd.DataFrame, files: list[Path], cache: Path) -> Seen:
    """Ask a network about images, once."""
    if not cache.is_file():
        preprocessing = read_bundle(run.bundle_folder).info.preprocessing
        answers = answers_of(network, files, preprocessing, device=choose_device("auto"))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, logits=answers.logits, features=answers.embeddings)
    with np.load(cache) as stored:
        found = Seen(rows.reset_index(drop=True), stored["logits"], stored["features"])
    return found.where(np.asarray(~np.isnan(found.logits).any(axis=1)))


def auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """Return the probability that a known image is more familiar than an unknown one."""
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def unknown_table(train: Seen, val: Seen, known: Seen, unknown: Seen, names: Sequence[str]) -> pd.DataFrame:
    """Compare the scores: AUROC, and shares accepted by thresholds that accept 95 % of val, or of the test itself."""
    training = TrainingFeatures.of(train.features, train.labels(names))
    rows = {}
    for score in FAMILIARITY_SCORES:
        of_val, of_known, of_unknown = (
            familiarity(score, one.logits, one.features, training) for one in (val, known, unknown)
        )
        threshold = accepting_threshold(of_val, list(val.rows["gathering_id"]), ACCEPTED)
        on_test = np.quantile(of_known, 1 - ACCEPTED)
        rows[score] = {
            "AUROC": auroc(of_known, of_unknown),
            "unknown accepted at 95 % of known": (of_unknown >= on_test).mean(),
            "unknown accepted, threshold of val": (of_unknown >= threshold).mean(),
            "known accepted, threshold of val": (of_known >= threshold).mean(),
        }
    return pd.DataFrame(rows).T


def rotations(frozen: Seen, names: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Hold four taxa out, three times: a logistic head on frozen features is fitted to the others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    for rotation in range(ROTATIONS):
        out = {names[(rotation * 5 + place) % len(names)] for place in range(HELD_OUT)}
        kept = [name for name in names if name not in out]
        held = frozen.rows["scientificName"].isin(out).to_numpy()
        part = frozen.rows["split"].to_numpy()
        train = frozen.where((part == "train") & ~held)
        scaler = StandardScaler().fit(train.features)
        head = LogisticRegression(C=0.01, max_iter=300).fit(scaler.transform(train.features), train.labels(kept))
        answered = Seen(
            frozen.rows, head.decision_function(scaler.transform(frozen.features)).astype(np.float32), frozen.features
        )
        table = unknown_table(
            answered.where((part == "train") & ~held),
            answered.where((part == "val") & ~held),
            answered.where((part == "test") & ~held),
            answered.where((part == "test") & held),
            kept,
        )
        print(f"\nheld out: {', '.join(sorted(out))}")
        print(table.round(3).to_string())
        yield table


def halves(test: Seen, names: Sequence[str], blocks: NDArray[np.str_]) -> pd.DataFrame:
    """Fit on one half of the test blocks and measure on the other, many times: means and spreads."""
    lines = []
    for seed in range(HALVES):
        drawn = np.random.default_rng(seed).permutation(np.unique(blocks))
        first = np.isin(blocks, drawn[: len(drawn) // 2])
        fitting, other = test.where(first), test.where(~first)
        known = Known(fitting.logits, fitting.labels(names), list(blocks[first]), "half")
        lines.append(measured(known, other, names, list(blocks[~first])))
    return pd.DataFrame(lines)


def measured(known: Known, other: Seen, names: Sequence[str], gatherings: list[str]) -> dict[str, float]:
    """Fit on known images and measure on others."""
    calibration, truth = fit_calibration(known), other.labels(names)
    before, after = (probabilities(other.logits, one) for one in (Calibration(), calibration))
    line = {
        "temperature": calibration.temperature,
        "ECE before": calibration_figures(before, truth, gatherings).ece,
        "ECE after": calibration_figures(after, truth, gatherings).ece,
    }
    for penalty in PENALTIES:
        scores = probabilities(known.logits, calibration)
        sets = fit_prediction_sets(scores, known, 0.95, penalty=penalty, free_ranks=3)
        for one in set_figures(after, truth, gatherings, sets):
            line[f"coverage {one.nominal:.2f}, penalty {penalty:g}"] = one.coverage
            line[f"set size {one.nominal:.2f}, penalty {penalty:g}"] = one.mean_size
    return line


def heat_figures(network: Network, bundle: Bundle, run: Run, test: Seen, count: int) -> pd.DataFrame:
    """Explain drawn test images; random heat stands beside, for comparison."""
    drawn = np.random.default_rng(0).permutation(len(test.rows))[:count]
    preprocessing, calibration = bundle.info.preprocessing, bundle.info.calibration
    random = np.random.default_rng(1)
    lines = []
    for place, path in zip(drawn, run.image_paths(test.rows.iloc[drawn]), strict=True):
        label = int(test.logits[place].argmax())
        for view in explain(network, prepare_file(path, preprocessing), (label,), calibration):
            noise = np.asarray(cv2.resize(random.random((7, 7)), view.pixels.shape[1::-1]), dtype=np.float64)
            deletion, insertion = faithfulness(network, view.pixels, noise, label, calibration)
            lines.append(
                {
                    "share of the view that is plant": view.plant,
                    "share of the heat on the plant": view.maps[0].inside,
                    "deletion": view.maps[0].deletion,
                    "deletion, random heat": deletion,
                    "insertion": view.maps[0].insertion,
                    "insertion, random heat": insertion,
                }
            )
    table = pd.DataFrame(lines).astype(float)
    return pd.DataFrame({"mean": table.mean(), "sd": table.std(), "views": table.count()})


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run")
    parser.add_argument("--unknown", type=Path, help="folder with images of other species")
    parser.add_argument("--blocks", type=Path, help="table with the columns path and group: what must stay together")
    parser.add_argument("--held-out", action="store_true", help="also hold taxa out, on frozen features")
    parser.add_argument("--heat", type=int, default=0, metavar="N", help="also explain N test images")
    parser.add_argument("--cache", type=Path, default=Path("runs/measure-trust"), help="folder for features")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    bundle = read_bundle(run.bundle_folder)
    names, network, cache = bundle.info.taxonomy.names, network_of(bundle), arguments.cache / run.job.name
    rows = run.split
    every = seen(network, run, rows, run.image_paths(rows), cache / f"{bundle.info.weights_sha256[:12]}.npz")
    train, val, test = (every.where((every.rows["split"] == part).to_numpy()) for part in ("train", "val", "test"))
    print(f"{bundle.info.identifier}: accuracy on test {(test.logits.argmax(axis=1) == test.labels(names)).mean():.3f}")

    blocks, of_val = (list(part.rows["gathering_id"].astype(str)) for part in (test, val))
    lines = {"val to test": measured(Known(val.logits, val.labels(names), of_val, "val"), test, names, blocks)}
    if arguments.blocks:
        groups = {Path(path).name: group for path, group in pd.read_csv(arguments.blocks)[["path", "group"]].to_numpy()}
        blocks, of_val = ([groups[Path(path).name] for path in part.rows["path"]] for part in (test, val))
        known = Known(val.logits, val.labels(names), of_val, "val")
        lines["val to test, by block"] = measured(known, test, names, blocks)
    table = halves(test, names, np.array(blocks, dtype=str))
    print("\nfitted on val, measured on test; then on halves of test by block, mean and standard deviation")
    print(pd.DataFrame(lines | {"half to half": table.mean(), "sd": table.std()}).round(3).to_string())

    if arguments.unknown:
        files = sorted(path for path in arguments.unknown.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
        strange = seen(
            network,
            run,
            pd.DataFrame({"path": files}),
            files,
            cache / f"unknown-{network.spec.backbone}-{bundle.info.weights_sha256[:12]}.npz",
        )
        print(f"\nknown: test images; unknown: {len(files)} images of {arguments.unknown.name}; the run's own network")
        print(unknown_table(train, val, test, strange, names).round(3).to_string())
    if arguments.heat:
        print(f"\nheat of the first candidate, over {arguments.heat} test images and all their views")
        print(heat_figures(network, bundle, run, test, arguments.heat).round(3).to_string())
    if arguments.held_out:
        untrained, _ = start_network(run.job.model, len(names))
        frozen = seen(untrained.eval(), run, rows, run.image_paths(rows), cache / "frozen.npz")
        tables = list(rotations(frozen, names))
        print(f"\nheld-out taxa, mean of {len(tables)} rotations; frozen features, logistic head")
        print((sum(tables[1:], tables[0]) / len(tables)).round(3).to_string())


if __name__ == "__main__":
    main()
