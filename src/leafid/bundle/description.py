"""A bundle in words, for terminals."""

from leafid.bundle.folder import Bundle
from leafid.bundle.schema import FittedOn
from leafid.bundle.zip_bundles import bundle_members
from leafid.text import printable

_LISTED_TAXA = 20


def describe_bundle(bundle: Bundle) -> str:
    """Return name, taxa, training, calibration, files and limits of a bundle, a line for each."""
    info = bundle.info
    origin, names = info.provenance, info.taxonomy.names
    more = f" and {len(names) - _LISTED_TAXA} more" if len(names) > _LISTED_TAXA else ""
    files = bundle_members(bundle.folder)
    size = sum((bundle.folder / name).stat().st_size for name in files)
    engines = exported_engines(bundle)
    counts = [f"{number:,} {split}" for split, number in origin.images.items()]
    rows = {
        "bundle": info.identifier,
        "written": f"{origin.created:%Y-%m-%d} by leafid {info.leafid_version}",
        "taxa": f"{len(names)}: {', '.join(names[:_LISTED_TAXA])}{more}",
        "target": info.taxonomy.target or "none",
        "images": ", ".join(counts) or "not stated",
        "gatherings": ", ".join(f"{number:,} {split}" for split, number in origin.gatherings.items()) or "not stated",
        "network": f"{info.network.backbone}, views of {info.preprocessing.size} pixels",
        "calibrated": _fitted(info.calibration.fitted_on),
        "prediction sets": f"at {info.prediction_sets.coverage:.0%} coverage" if info.prediction_sets else "none",
        "unknown taxa": "rejected by an OOD score" if info.ood_detector else "not rejected",
        "engines": ", ".join([*engines, "torch, which needs leafid[train]"]),
        "files": f"{len(files)}, {size / 1e6:,.1f} MB, in {bundle.folder}",
        "limits": info.trained_on.short,
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {printable(text)}" for name, text in rows.items())


def exported_engines(bundle: Bundle) -> list[str]:
    """Return the names of the compiled engines in a bundle, sorted."""
    members = bundle_members(bundle.folder)
    return sorted({name.split("/")[1] for name in members if name.startswith("engines/")})


def _fitted(fitted_on: FittedOn | None) -> str:
    if fitted_on is None:
        return "never: its probabilities are not reliable"
    return f"on {fitted_on.images:,} {fitted_on.split} images of {fitted_on.gatherings:,} gatherings"
