"""Measure what is refused and for which reason: 100 drawn and 100 real bad inputs, and photos that are good.

Drawn inputs have seeds, and a part of them kinds, that the input gate was not trained on. Real ones are made from
photos and sheets: blurred, darkened, framed badly, reduced, laid side by side; parts of sheets without a plant, and
flowers alone. `--half` takes every second real image, so that a limit can be chosen on one half and tried on the other.

    python scripts/measure_refusals.py --shared ../shared --half second --save /tmp/refusals
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from input_gate_pictures import NO_LEAF, Picture, bare, laid_out, no_leaf, one_leaf, tiny
from input_gate_samples import blurred, cut, plantless_parts
from input_gate_strangers import STRANGERS
from input_gate_things import THINGS
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import Decision, read_bundle
from leafid.identify import Identifier
from leafid.images import open_image
from leafid.sheets import find_plant, judge_input
from leafid.trust import ImageQuality, quality_reason
from leafid.trust.image_quality import MIN_GOOD

Image8 = NDArray[np.uint8]

SEED = 1_000_000
"""First seed of the drawn inputs; training has none between it and two million."""
FLOWERS = ("0003_006", "0030_041", "0094_099", "0095_101", "0136_147", "0136_148")
"""Photos in the open that show flowers or fruits and no leaf, chosen by eye."""
MIN_SIDE = 112
"""Limit of a bundle whose network sees 224 pixels."""
DECISION = Decision(min_probability=0.0, min_side=MIN_SIDE, min_good=MIN_GOOD)
_BLURS = (2.0, 3.0, 5.0, 8.0)
_LONGEST = 1200


@dataclass(frozen=True)
class BadInput:
    """An image that must be refused, the right reason, and what it is."""

    image: Image8
    reason: str
    kind: str


def drawn_inputs() -> Iterator[BadInput]:
    """Draw 100 bad inputs."""
    kinds = [*STRANGERS] * 3 + [*NO_LEAF, *THINGS]
    for number, kind in enumerate(kinds[:38]):
        yield BadInput(no_leaf(SEED + number, kind).image, "not_a_leaf", f"drawn {kind}")
    for number in range(2):
        yield BadInput(bare(SEED + number).image, "not_a_leaf", "drawn sheet without a plant")
    rng = np.random.default_rng(SEED)
    for number, picture in zip(range(20), _with_leaf(SEED), strict=False):
        strength = _BLURS[number % len(_BLURS)]
        yield BadInput(blurred(picture, strength, rng), "blurred", f"drawn, blur {strength:.0f}")
    parts = (cut(picture, float(rng.uniform(0.2, 0.45)), rng) for picture in _with_leaf(SEED + 1000))
    enough = (part for part in parts if min(part.shape[:2]) >= 1.3 * MIN_SIDE)  # else the right reason is another
    yield from (BadInput(part, "cut_off", "drawn, cut off") for part in islice(enough, 10))
    for _, picture in zip(range(10), _with_leaf(SEED + 2000), strict=False):
        yield BadInput(darkened(picture.image, rng), "too_dark", "drawn, dark")
    small = (tiny(SEED + number).image for number in range(10))
    yield from (BadInput(image, "too_small", "drawn, tiny leaf") for image in small)
    mixed = (laid_out(SEED + number, mixed=True) for number in range(100))
    several = [picture.image for picture in mixed if picture.answer == "several_plants"][:10]
    yield from (BadInput(image, "several_plants", "drawn, unlike leaves") for image in several)


def real_inputs(shared: Path, half: int) -> Iterator[BadInput]:
    """Make 100 bad inputs of real images."""
    rng = np.random.default_rng(half)
    leaves, single = good_images(shared, half), [*islice(_single_leaves(shared, half), 30)]
    names = ("fresh leaves", "photos in the open", "leaves on black", "Viola sheets")
    for number in range(32):
        name = names[number % 4]
        path = _pick(leaves[name], 7 * (number // 4))
        strength = _BLURS[(number // 4) % len(_BLURS)]
        image = _opened(path)
        plant = find_plant(image)
        picture = Picture(image, "good", name, _box(plant.full()) if plant.fraction > 0.01 else None)
        yield BadInput(blurred(picture, strength, rng), "blurred", f"{name}, blur {strength:.0f}")
    for number in range(10):
        name = names[number % 4]
        yield BadInput(darkened(_opened(_pick(leaves[name], 3 * number + 1)), rng), "too_dark", f"{name}, dark")
    parts = (cut(picture, float(rng.uniform(0.2, 0.45)), rng) for _ in range(5) for picture in single[:14])
    enough = (part for part in parts if min(part.shape[:2]) >= 1.3 * MIN_SIDE)
    yield from (BadInput(part, "cut_off", "fresh leaf, cut off") for part in islice(enough, 14))
    for number in range(10):
        name = names[number % 4]
        image = _opened(_pick(leaves[name], 5 * number + 2))
        factor = float(rng.uniform(40, 80)) / min(image.shape[:2])
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield BadInput(small, "too_small", f"{name}, reduced")
    for one, other in zip(single[14:22], single[-8:], strict=True):
        yield BadInput(beside(one.image, other.image), "several_plants", "two leaves side by side")
    for image in [*plantless_parts(shared / "sheets/masks_kymillev", first=1)][: 26 - len(FLOWERS) // 2]:
        yield BadInput(image, "not_a_leaf", "part of a sheet without a plant")
    for name in FLOWERS[half::2]:
        yield BadInput(_opened(shared / f"photos/field/{name}.jpg"), "not_a_leaf", "flowers alone")


def good_images(shared: Path, half: int) -> dict[str, list[Path]]:
    """Return every second image of each set of good ones; of the benchmarks test images."""
    manifest = pd.read_csv(shared / "bench/manifest.csv")
    test = manifest[manifest["split"] == "test"].sample(frac=1, random_state=0)
    sets = {
        "fresh leaves": [shared / "bench" / path for path in test.loc[test["dataset"] == "remp", "path"]],
        "Viola sheets": [shared / "bench" / path for path in test.loc[test["dataset"] == "violaceae", "path"]],
        "photos in the open": sorted((shared / "photos/field").glob("*.jpg")),
        "leaves on black": sorted((shared / "photos/black").glob("*.jpg")),
        "kratom": [path for path in sorted((shared / "photos/kratom").iterdir()) if path.suffix != ".csv"],
        "sheets of other species": sorted((shared / "sheets/unknown_species").glob("*.jpg")),
    }
    return {name: [path for path in paths if path.stem not in FLOWERS][half::2] for name, paths in sets.items()}


def darkened(image: Image8, rng: np.random.Generator) -> Image8:
    """Take away light until even the bright parts have 10 to 30 grey values, with the noise that then shows."""
    bright = float(np.quantile(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 0.99))
    dark = image * (rng.uniform(10, 30) / max(bright, 1.0)) + rng.normal(0, 1.5, image.shape)
    return np.asarray(np.clip(dark, 0, 255), np.uint8)


def beside(one: Image8, other: Image8) -> Image8:
    """Lay two photos on paper beside each other, with the second's light changed to that of the first."""
    height = min(one.shape[0], other.shape[0])
    parts = [cv2.resize(part, (round(part.shape[1] * height / part.shape[0]), height)) for part in (one, other)]
    grounds = [np.median(np.concatenate([part[:8].reshape(-1, 3), part[-8:].reshape(-1, 3)]), axis=0) for part in parts]
    parts[1] = np.clip(parts[1] * (grounds[0] / np.maximum(grounds[1], 1)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def _with_leaf(seed: int) -> Iterator[Picture]:
    """Drawn photos of one good leaf."""
    for number in range(10_000):
        picture = one_leaf(seed + number)
        if picture.answer == "good" and picture.leaf is not None:
            yield picture


def _single_leaves(shared: Path, half: int) -> Iterator[Picture]:
    """Photos of one fresh leaf each, of many species, with its box, where the plant search finds it."""
    for path in good_images(shared, half)["fresh leaves"][40:]:
        image = _opened(path)
        plant = find_plant(image)
        if plant.fraction > 0.05:
            yield Picture(image, "good", "fresh leaf", _box(plant.full()))


def _pick(paths: list[Path], number: int) -> Path:
    return paths[number % len(paths)]


def _opened(path: Path) -> Image8:
    image = open_image(path, needed_side=_LONGEST // 2).rgb
    image.thumbnail((_LONGEST, _LONGEST))
    return np.asarray(image)


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def saved(inputs: Iterator[BadInput], folder: Path) -> pd.DataFrame:
    """Write images as JPEG, and return a table with their paths, reasons and kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, one in enumerate(inputs):
        path = folder / f"{number:03d}-{one.reason}.jpg"
        Image.fromarray(one.image).save(path, quality=92)
        rows.append((str(path), one.reason, one.kind))
    table = pd.DataFrame(rows, columns=["path", "right", "kind"])
    table.to_csv(folder / "inputs.csv", index=False)
    return table


def gate_answer(path: Path, decision: Decision) -> str:
    """Return the reason why an image is refused as bad input, or `good`: without any network that names taxa."""
    opened = open_image(path, needed_side=_LONGEST // 2)
    pixels = np.asarray(opened.rgb)
    bright = float(np.quantile(cv2.cvtColor(np.ascontiguousarray(pixels[::3, ::3]), cv2.COLOR_RGB2GRAY), 0.99))
    size = min(opened.width, opened.height)
    quality = ImageQuality(shorter_side=size, brightness=bright, answers=judge_input(pixels))
    reason = quality_reason(decision, quality)
    return "good" if reason is None else reason.value


def refused(paths: list[Path], decision: Decision) -> str:
    """Return how many good images are refused as bad input, and for which reasons."""
    answers = pd.Series([gate_answer(path, decision) for path in paths], index=[path.stem for path in paths])
    bad = answers[answers != "good"]
    listed = "; ".join(f"{reason}: {', '.join(part.index)}" for reason, part in bad.groupby(bad))
    return f"{len(bad)} of {len(answers)} ({len(bad) / len(answers):.1%}) {listed}"


def main() -> None:
    """Measure the refusals and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder of the real images")
    parser.add_argument("--half", choices=["first", "second"], default="second", help="half of the real images")
    parser.add_argument("--save", type=Path, required=True, help="folder for the bad inputs and their answers")
    parser.add_argument("--run", type=Path, help="run or bundle: also let it answer; without, only the gate does")
    parser.add_argument("--good", type=int, default=1000, help="most good images of each set (default: 1000)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    half, decision = ["first", "second"].index(arguments.half), DECISION
    pictures = (one for part in (drawn_inputs(), real_inputs(arguments.shared, half)) for one in part)
    table = saved(pictures, arguments.save)
    if arguments.run:
        identifier = Identifier.load(arguments.run)
        decision = identifier.info.decision
        print(f"{read_bundle(arguments.run).info.identifier}\n{decision}")
        table["answer"] = [record.reason_code or "named" for record in identifier.identify(table["path"])]
    else:
        table["answer"] = [gate_answer(Path(path), decision) for path in table["path"]]
    table["made of"] = np.where(table["kind"].str.startswith("drawn"), "drawn", "real")
    table.to_csv(arguments.save / "answers.csv", index=False)
    for name, part in (("all", table), *table.groupby("made of")):
        share = (part["answer"] == part["right"]).mean()
        print(f"\n{name}: {len(part)} bad inputs, right reason {share:.1%}")
        print(pd.crosstab(part["right"], part["answer"]).to_string(), flush=True)
    print("\nGood images refused as bad input")
    for name, paths in good_images(arguments.shared, half).items():
        print(f"{name}: {refused(paths[: arguments.good], decision)}", flush=True)


if __name__ == "__main__":
    main()
