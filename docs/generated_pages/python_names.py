"""The names of leafid that Python programs use, for autodoc."""

import inspect
from importlib import import_module

import leafid
from leafid import errors

PACKAGES = {
    "leafid": ("What most programs need.", tuple(vars(leafid)["__all__"])),
    "leafid.identify": (
        "What records hold, and their files.",
        (
            "Candidate",
            "LeafCheck",
            "PlantPhoto",
            "Status",
            "find_inputs",
            "read_records",
            "record_from_dict",
            "write_darwin_core",
            "write_archive",
            "write_report",
            "write_spreadsheet",
            "export_engine",
        ),
    ),
    "leafid.characters": (
        "Leaf characters, and their comparison with floras.",
        ("measure_file", "MeasuredImage", "MeasuredLeaf", "LeafCharacters", "LeafEnds", "compare", "flora_ranges"),
    ),
    "leafid.trust": (
        "Evaluation, refusals and explanations.",
        ("Evaluation", "crossvalidate", "Crossvalidation", "list_label_issues", "LabelIssue", "explain_file"),
    ),
    "leafid.jobs": ("Jobs in Python.", ("load_job", "with_settings", "apply_recipe", "dump_job", "job_schema")),
    "leafid.demo": ("Drawn herbaria and photographs.", ("draw_herbarium", "draw_album", "draw_photograph")),
    "leafid.errors": ("What can go wrong.", tuple(vars(errors))),
}
"""Packages, what they are for, and their names to document; constants among them are left out."""


def python_names() -> str:
    """Return a heading for each package, and directives that document each of its classes and functions."""
    lines: list[str] = []
    for package, (purpose, names) in PACKAGES.items():
        lines += [f"## `{package}`", "", purpose, "", "```{eval-rst}"]
        module = import_module(package)
        for name in names:
            value = getattr(module, name)
            if inspect.isclass(value) and value.__module__.startswith("leafid"):
                lines += [f".. autoclass:: {package}.{name}", "   :members:", ""]
            elif inspect.isfunction(value):
                lines += [f".. autofunction:: {package}.{name}", ""]
        lines += ["```", ""]
    return "\n".join(lines) + "\n"
