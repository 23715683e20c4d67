"""The one door from a job's catalog to what may be trained on: curated, divided, and checked for leaks."""

from leafid.catalog import read_catalog
from leafid.curation.curate import Curated, curate
from leafid.curation.near_duplicates import near_duplicates_of
from leafid.curation.split import check_split
from leafid.jobs import Job


def training_split(job: Job) -> Curated:
    """Read the job's catalog and divide its gatherings.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: a gathering, an image or a near-duplicate crosses the split, or it leaves nothing to train or to
            validate on.
        TaxonomyError: one name stands for two of the job's taxa.
    """
    curated = curate(read_catalog(job.catalog_path), job)
    check_split(curated.split, taxonomy=curated.taxonomy, near_duplicates=near_duplicates_of(job))
    return curated
