"""``leafid audit``: what a catalog holds, and what in it could teach a network the herbarium instead of the plant."""

from leafid.cli.arguments import JobFile, Overrides


def audit(job_file: JobFile, overrides: Overrides = None) -> None:
    """Look a catalog over before training: counts, look-alike images, and shortcuts a network could take.

    A shortcut is what tells taxa apart without looking at the plant, such as the paper of one herbarium.
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
