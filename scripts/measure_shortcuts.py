"""Measure shortcuts on the two benchmark sets: how well simple classifiers guess the taxon without seeing the plant.

    python scripts/measure_shortcuts.py --bench ../shared/bench [--out FOLDER]

Runs the audit of `leafid audit` with the background kept and removed, and prints its shortcut tables as one Markdown
table. Scores are balanced accuracies with 95 % intervals.
"""

import argparse
from pathlib import Path

from leafid.curation import assign_gatherings, audit
from leafid.jobs import Job, OutputSettings, TableSource
from leafid.jobs.curation import CurationSettings, SplitSettings
from leafid.progress import progress_bar
from leafid.sheets import plant_mask
from leafid.sources import collect

COLUMNS = {
    "remp": {"scientificName": "label", "gathering_id": "group"},
    "violaceae": {"scientificName": "label", "gathering_id": "group", "institutionCode": "source"},
}
"""Columns of the manifest. ``source``, the imaging batch of *Viola*, takes the place of the herbarium."""


def main() -> None:
    """Collect and audit each set, and print its shortcut table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--out", type=Path, default=Path("data/shortcuts"))
    arguments = parser.parse_args()
    print("| set | target | region | evaluation | classifier | background kept | background removed | chance |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, columns in COLUMNS.items():
        source = TableSource(
            kind="table", path=arguments.bench / "manifest.csv", columns=columns, only={"dataset": name}
        )
        job = Job(
            name=name,
            sources=(source,),
            curation=CurationSettings(split=SplitSettings(by="column")),
            output=OutputSettings(data=arguments.out / name),
        )
        collect(job)
        assign_gatherings(job.catalog_path)
        with progress_bar(f"Auditing {name}") as on_progress:
            files = audit(job, plant_mask=plant_mask, on_progress=on_progress)
        kept = [row for row in files.audit.shortcuts if row.background == "kept"]
        removed = {
            (row.question, row.region, row.evaluation, row.classifier): row
            for row in files.audit.shortcuts
            if row.background == "removed"
        }
        for row in kept:
            after = removed.get((row.question, row.region, row.evaluation, row.classifier))
            shown = f"{after.score:.3f} [{after.low:.3f}, {after.high:.3f}]" if after else "–"
            print(
                f"| {name} | {row.question} | {row.region} | {row.evaluation} | {row.classifier} | "
                f"{row.score:.3f} [{row.low:.3f}, {row.high:.3f}] | {shown} | {row.chance:.3f} |"
            )
        print(f"\n{files.html_path}\n")


if __name__ == "__main__":
    main()
