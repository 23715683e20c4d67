"""Records of two taxa, made by hand."""

from datetime import UTC, datetime

from leafid.bundle import BundleInfo, Decision, NetworkSpec, Provenance
from leafid.identify import Candidate, Record, Status
from leafid.jobs import Preprocessing
from leafid.taxonomy import Taxon, Taxonomy

SPECIOSA, HIRSUTA = Candidate("Mitragyna speciosa", 0.62), Candidate("Mitragyna hirsuta", 0.31)
TAXONOMY = Taxonomy(
    taxa=(Taxon.from_name("Mitragyna hirsuta"), Taxon.from_name("Mitragyna speciosa", key="7461054")),
    target="Mitragyna speciosa",
)
NOON = "2026-03-01T12:00:00+07:00"


def made(path: str, name: str | None = "Mitragyna speciosa", **more: object) -> Record:
    """Return a record; identified unless ``name`` is None."""
    values: dict[str, object] = {
        "path": path,
        "status": Status.UNDETERMINED if name is None else Status.IDENTIFIED,
        "scientific_name": name,
        "taxon_rank": name and "species",
        "probability": 0.62,
        "candidates": (SPECIOSA, HIRSUTA),
        "file_sha256": f"{hash(path) % 16**8:08x}" * 8,
        "identified_at": NOON,
        "bundle": "m@1-2",
        "leafid_version": "9.9",
    }
    return Record(**values | more)  # type: ignore[arg-type]


def given(**values: str | None) -> tuple[tuple[str, str | None], ...]:
    """Return given columns."""
    return tuple(values.items())


def small_info() -> BundleInfo:
    """Return the description of a bundle of the two taxa."""
    return BundleInfo(
        name="small",
        taxonomy=TAXONOMY,
        preprocessing=Preprocessing(size=64),
        network=NetworkSpec(backbone="mobilenet_v2", dropout=0.2, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)),
        decision=Decision(min_probability=0.5),
        provenance=Provenance(
            job={},
            created=datetime(2026, 1, 2, tzinfo=UTC),
            seed=0,
            catalog_sha256="0" * 64,
            git_commit=None,
            versions={},
            images={},
            gatherings={},
            best_epoch=0,
            val_macro_f1=None,
        ),
        weights_sha256="0" * 64,
    )
