"""Recipes: named sets of settings, and the rules by which they adapt to the images at hand.

A job names a recipe; whatever the job itself sets takes precedence. The rules need facts about the images, so they are
applied when training starts; the run's ``job.yaml`` records the effective settings. Figures are in docs/results.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leafid.jobs.job import Job

Settings = Mapping[str, object]

ADAPTED_SECTIONS = ("sheets", "model", "training")
"""Sections in which a recipe sets values."""

FEW_IMAGES = 20
"""Training images per taxon. With fewer, augmented copies take three times as long and did not help out of fold."""

SINGLE_LEAVES = 2
"""Leaves found per image (median). Photos of one leaf have 1, herbarium sheets and shoots 4 or more."""

REDUCED_STEP = 256
"""Pixels: the shorter side to which images are reduced is a multiple."""


ADAPTATION = f"""\
# The recipe adapts to the images when training starts, unless the job sets the values itself:
# - up to {SINGLE_LEAVES} leaves found per image (median), single leaves: one view of 448 pixels, turned upright, the
#   ground painted white; else herbarium sheets: views of 320 and 672 pixels
# - photos larger than the training images are reduced to their size, so that tiles show equally much of a plant
# - under {FEW_IMAGES} training images per taxon (median): no augmented copies for the linear probe; else two
# - with a GPU, or recipe accurate: fine-tuning after the linear probe; else the linear probe only
# - weights none: all layers are trained, with average pooling"""
"""Printed below an effective job."""


@dataclass(frozen=True)
class DatasetFacts:
    """What the rules of a recipe depend on.

    Attributes:
        images_per_taxon: median number of training images of a taxon.
        leaves_per_image: median number of leaves found on a sample of the images.
        gpu: whether training runs on a GPU.
        shorter_side: shorter side of the images, in pixels, that nine of ten do not exceed; 0: not known.
    """

    images_per_taxon: float
    leaves_per_image: float
    gpu: bool
    shorter_side: int = 0


_FEATURES: Settings = {
    "model.backbone": "mobilenet_v2",
    "model.pooling": "covariance",
    "model.scales": [1.0, 0.7, 0.5],
}
_VIEWS_OF_SHEETS = {"image": 1, "plant": 1, "leaves": 8, "tiles": 12}
_SHEETS: Settings = {
    "sheets.views": _VIEWS_OF_SHEETS,
    "sheets.size": 320,
    "sheets.overview_size": 672,
}
_ALL_VIEWS_OF_SHEETS = {**_VIEWS_OF_SHEETS, "veins": 8}
_ALL_VIEWS_OF_LEAVES = {"plant": 1, "leaves": 2, "tiles": 6, "veins": 2}
_SINGLE_LEAVES: Settings = {
    # One view as large as the leaf allows: views of the same leaf cut closer, and a third size, cost four times as much
    # and were not better on other stretches of a series (docs/results.md).
    "sheets.views": {"plant": 1},
    "model.scales": [1.0, 0.7],
    # The background identifies the photo session, a shortcut that fails in the next one: painted white, half as many
    # photos of another stretch of a series are named wrongly. Sheets gain little (docs/results.md).
    "sheets.background": "plain",
    # A photo turned by a quarter turn is the same to the network, and names as many right (docs/results.md).
    "sheets.orientation": "upright",
    "sheets.size": 224,
    "sheets.overview_size": 448,
}


def apply_recipe(job: Job, facts: DatasetFacts | None = None) -> tuple[Job, tuple[str, ...]]:
    """Return the job with the settings of its recipe, and a sentence for each rule that was applied.

    Args:
        job: settings that it sets itself stay as they are. A job to which a recipe was applied stays the same.
        facts: about its images; None, before they are known: those of herbarium sheets, few per taxon, on a CPU.

    Raises:
        pydantic.ValidationError: settings of the job contradict those of the recipe.
    """
    if job.recipe == "none":
        return job, ()
    settings, rules = _settings(job, facts or DatasetFacts(0, 8, gpu=False))
    content = partial_content(job)
    applied = False
    for name, value in settings.items():
        section, key = name.split(".")
        if key not in content[section]:
            content[section][key] = value
            applied = True
    if not applied:
        return job, ()
    return Job.model_validate(content), rules


def partial_content(job: Job) -> dict[str, Any]:
    """Return the content of a job as plain values, without what it leaves to its recipe."""
    content = job.model_dump(mode="json")
    for section in ADAPTED_SECTIONS:
        content[section] = getattr(job, section).model_dump(mode="json", exclude_unset=True)
    return content


def _settings(job: Job, facts: DatasetFacts) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the settings of the job's recipe under the facts, and the rules that led to them."""
    single = facts.leaves_per_image <= SINGLE_LEAVES
    few = facts.images_per_taxon < FEW_IMAGES
    settings: dict[str, object] = {**_FEATURES, **(_SINGLE_LEAVES if single else _SHEETS)}
    rules = [
        f"{facts.leaves_per_image:g} leaves found per image: "
        + ("photos of single leaves" if single else "herbarium sheets or shoots")
        + f" (limit {SINGLE_LEAVES})"
    ]
    if facts.shorter_side:
        # Rounded up, so that images of about one size stay as they are.
        reduced = REDUCED_STEP * math.ceil(facts.shorter_side / REDUCED_STEP)
        settings["sheets.reduced_side"] = reduced
        rules.append(
            f"the images have up to {facts.shorter_side} pixels on their shorter side: "
            f"larger ones are reduced to {reduced}"
        )
    if single and job.recipe != "accurate":  # which cuts leaves and tiles from the mask
        settings["sheets.search_side"] = 320
        rules.append("the leaf is searched on 320 pixels")
    if job.recipe == "fast":
        settings |= {"sheets.views": {"plant": 1}, "sheets.size": 224, "sheets.overview_size": 224}
        settings |= {"model.scales": [1.0], "training.mode": "probe", "training.probe_augmented_copies": 0}
    else:
        fine_tune = job.recipe == "accurate" or facts.gpu
        settings["training.mode"] = "fine-tune" if fine_tune else "probe"
        settings["training.probe_augmented_copies"] = 0 if few else 2
        settings["training.augmentation"] = "strong" if single and not fine_tune else "light"
        rules.append(
            f"{facts.images_per_taxon:g} training images per taxon: "
            + ("no augmented copies for the probe" if few else "two augmented copies for the probe")
            + f" (limit {FEW_IMAGES})"
        )
        rules.append(
            "fine-tuning after the linear probe" if fine_tune else "linear probe only, because there is no GPU"
        )
    if job.recipe == "accurate":
        settings["sheets.views"] = _ALL_VIEWS_OF_LEAVES if single else _ALL_VIEWS_OF_SHEETS
    if job.model.weights == "none":
        settings |= {"model.pooling": "average", "model.scales": [1.0], "training.mode": "fine-tune"}
        rules.append("random weights: all layers are trained, with average pooling")
    return settings, tuple(rules)
