"""Small catalogs for the tests of curation."""

from collections.abc import Mapping

import pandas as pd

from leafid.catalog import COLUMNS
from leafid.jobs import CurationSettings, FolderSource, Job, SplitSettings, TaxaSettings


def catalog_of(*rows: Mapping[str, str | None], extra: tuple[str, ...] = ()) -> pd.DataFrame:
    """Make a catalog; ``image_id`` and ``path`` are made up where a row has none."""
    made = [
        {"image_id": f"{number:016x}", "path": f"{number}.jpg", "scientificName": "Viola alba", **row}
        for number, row in enumerate(rows)
    ]
    names = [column.name for column in COLUMNS]
    return pd.DataFrame(made, columns=[*names, *extra]).astype({name: "str" for name in (*names, *extra)})


def job_of(
    *, split: SplitSettings | None = None, taxa: TaxaSettings | None = None, seed: int = 0, **curation: object
) -> Job:
    """Make a job whose source is never read."""
    settings = CurationSettings.model_validate({"split": split or SplitSettings(), **curation})
    return Job.model_validate(
        {
            "name": "test",
            "seed": seed,
            "taxa": taxa,
            "sources": [FolderSource.model_validate({"kind": "folder", "path": "none"})],
            "curation": settings,
        }
    )
