"""The model card of a bundle, in Markdown."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from leafid.bundle import FEW_GATHERINGS, BundleInfo
from leafid.curation import SPLITS
from leafid.jobs import ViewCounts

if TYPE_CHECKING:
    import pandas as pd


def model_card(info: BundleInfo, split: "pd.DataFrame", measured: Sequence[str] = ()) -> str:
    """Return the card of a bundle as Markdown.

    Args:
        info: the bundle's description.
        split: the images of its run; see ``leafid.curation``.
        measured: lines of Markdown with the results measured after training; none: not measured yet.
    """
    provenance, taxonomy = info.provenance, info.taxonomy
    counts = Counter(zip(split["scientificName"], split["split"], strict=True))
    lines = [
        f"# {info.name}",
        "",
        f"Identifies {len(taxonomy)} taxa from images of their leaves, with {info.network.backbone} at "
        f"{info.preprocessing.size} x {info.preprocessing.size} pixels. "
        f"Views of an image: {_listed_views(info.preprocessing.views)}. "
        f"Made with leafid {info.leafid_version} on {provenance.created:%Y-%m-%d}.",
        "",
        "## Limitations",
        "",
        *(f"- {statement}" for statement in info.trained_on.long),
        "",
        "## Taxa and images",
        "",
        "| taxon | train | val | test |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in taxonomy.names:
        numbers = " | ".join(str(counts[name, part]) for part in SPLITS)
        marks = [
            *(["target"] if name == taxonomy.target else []),
            *(["few images"] if name in info.few_gatherings else []),
        ]
        marked = f" ({', '.join(marks)})" if marks else ""
        lines.append(f"| {name}{marked} | {numbers} |")
    if info.few_gatherings:
        lines += ["", f"Few images: fewer than {FEW_GATHERINGS} gatherings in train."]
    gatherings = ", ".join(f"{provenance.gatherings.get(part, 0)} for {part}" for part in SPLITS)
    lines += ["", f"Gatherings: {gatherings}. No gathering is in two parts."]
    for column, title in (("license", "Licences"), ("institutionCode", "Herbaria")):
        if column in split and split[column].notna().any():
            lines += ["", f"{title}: {_counted(split[column])}."]
    lines += [
        "",
        "## Evaluation",
        "",
        f"Macro-F1 on val {_score(provenance.val_macro_f1)} after epoch {provenance.best_epoch}. The network was "
        "chosen on val, so it overestimates the accuracy on new images.",
        "",
        *(measured or ("Nothing else has been measured yet. Run `leafid evaluate`.",)),
        "",
        "## Provenance",
        "",
        f"- initial weights: {provenance.job.get('model', {}).get('weights', 'not recorded')}",
        f"- catalog: SHA-256 {provenance.catalog_sha256}",
        f"- code: {provenance.git_commit or 'an installed release'}",
        f"- seed: {provenance.seed}",
        f"- versions: {', '.join(f'{name} {version}' for name, version in provenance.versions.items())}",
        "",
    ]
    return "\n".join(lines)


def _score(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _counted(values: "pd.Series") -> str:
    counts = values.value_counts()
    unknown = int(values.isna().sum())
    listed = [f"{name} ({count})" for name, count in counts.items()]
    return ", ".join([*listed, *([f"not stated ({unknown})"] if unknown else [])])


def _listed_views(views: ViewCounts) -> str:
    """Return the kinds of views in words."""
    parts = [
        "the whole image" if views.image else "",
        "the plant" if views.plant else "",
        f"up to {views.leaves} leaves" if views.leaves else "",
        f"up to {views.tiles} tiles of it" if views.tiles else "",
        f"vein maps of up to {views.veins} leaves" if views.veins else "",
    ]
    return ", ".join(part for part in parts if part)
