"""``leafid prepare``: cuts the views of a job's images and stores them."""

from leafid.cli.arguments import JobFile, Overrides


def prepare(job_file: JobFile, overrides: Overrides = None) -> None:
    """Cut and store the views of a job's images.

    After an interruption, the same command continues. Otherwise `leafid train` does this before the first epoch.
    """
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.learning import prepare_job

    for stored in prepare_job(job):
        print(
            f"{stored.part:5}  {stored.images} images, {stored.new} of them new: "
            f"{stored.bytes / 1e6:.1f} MB in {stored.folder}"
        )
    print(f"Next:  leafid train {job_file}")
