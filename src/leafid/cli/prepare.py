"""``leafid prepare``: what the network will see, cut out of the images once and kept."""

from leafid.cli.arguments import JobFile, Overrides


def prepare(job_file: JobFile, overrides: Overrides = None) -> None:
    """Cut the views of a job's images and store them, so that training need not.

    Interrupted, the same command goes on where it stopped. Without it, `leafid train` does the same before it begins.
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
