"""``leafid audit``: counts, near-duplicates and shortcuts of a catalog."""

from leafid.cli.arguments import JobFile, Overrides


def audit(job_file: JobFile, overrides: Overrides = None) -> None:
    """Check a catalog before training.

    Reports counts, near-duplicate images, and shortcuts: features other than the plant by which a network could
    distinguish the taxa, such as the paper of one herbarium.
    """
    from leafid.curation import audit as audit_catalog
    from leafid.jobs import load_job
    from leafid.progress import progress_bar
    from leafid.sheets import plant_mask

    job = load_job(job_file, overrides or ())
    with progress_bar("Auditing") as on_progress:
        files = audit_catalog(job, plant_mask=plant_mask, on_progress=on_progress)
    for note in files.audit.notes:
        print(f"Note: {note}")
    for warning in files.audit.warnings:
        print(f"Warning: {warning}")
    print(f"Audit: {files.html_path}\nFigures: {files.json_path}")
