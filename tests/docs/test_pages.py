"""The pages: the README stays short, links resolve, and what is generated from the code is complete."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from generated_pages import GENERATORS, fill
from generated_pages.command_reference import command_names
from generated_pages.job_keys import key_names
from generated_pages.rest_interface import openapi

from leafid.catalog import COLUMNS as CATALOG_COLUMNS
from leafid.characters import NotMeasuredReason
from leafid.cli import app
from leafid.errors import FailureReason
from leafid.identify import Record
from leafid.jobs import Job
from leafid.sources.source_result import SourceFailureReason
from leafid.trust import UndeterminedReason
from tests.docs.tutorials import DOCS

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _relative_links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            if not re.match(r"https?:|#", link):
                yield page, link


def test_the_readme_has_at_most_120_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize(
    ("page", "link"), list(_relative_links()), ids=lambda value: str(getattr(value, "stem", value))
)
def test_a_relative_link_resolves(page: Path, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = page.parent / file
    assert target.is_file()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", fill(target.read_text(encoding="utf-8")), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_files_of_the_code_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"`((?:src|tests|scripts|configs)/[\w/.]+)`", page.read_text(encoding="utf-8"))
    assert not [path for path in named if page.stem != "results" and not (ROOT / path).exists()]


def test_names_of_the_code_in_the_recipes_for_contributors_exist() -> None:
    text = (DOCS / "contributing.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"`(_?[A-Z_]{4,}|_\w+|[A-Z][a-z]\w+|find_local|part_scores|backbone_source)`", text))
    assert len(named) >= 12 and not [name for name in named - {"Containerfile"} if name not in code]


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("undetermined reasons", UndeterminedReason),
        ("failure reasons", FailureReason),
        ("source failure reasons", SourceFailureReason),
        ("not measured reasons", NotMeasuredReason),
    ],
)
def test_every_reason_has_its_row_with_words(name: str, codes: type) -> None:
    rows = {
        cells[1].strip(" `"): cells[2:-1] for line in GENERATORS[name]().splitlines()[2:] if (cells := line.split("|"))
    }
    assert list(rows) == [code.value for code in codes]  # type: ignore[attr-defined]
    assert all(cell.strip().endswith(".") for cells in rows.values() for cell in cells)


def test_every_key_of_a_job_is_explained() -> None:
    keys = key_names()
    assert {"name", "training.max_epochs", "sources.path", "curation.split.by", "sheets.views.leaves"} <= set(keys)
    shown = GENERATORS["job keys"]()
    assert not [key for key in keys if f"\n`{key}`\n: " not in shown]
    for section, field in Job.model_fields.items():
        assert f"`{section}`" in shown, field


def test_every_command_and_option_is_in_the_reference() -> None:
    shown = GENERATORS["commands"]()
    assert (
        len(command_names()) == sum(not one.hidden for one in app.registered_commands) + 6
    )  # job and bundle have three
    assert all(f"## `{name}`" in shown for name in command_names())
    assert "`--plant-by folder|COLUMN|REGEX`" in shown and "default: 127.0.0.1" in shown


@pytest.mark.parametrize("command", command_names())
def test_every_command_is_shown_in_a_guide(command: str) -> None:
    assert any(command in page.read_text(encoding="utf-8") for page in PAGES if page.stem != "results")


def test_every_column_is_explained() -> None:
    results, catalogs = GENERATORS["result columns"](), GENERATORS["catalog columns"]()
    assert all(f"| `{field.name}` |" in results for field in fields(Record) if field.name != "given")
    assert all(f"| `{column.name}` |" in catalogs for column in CATALOG_COLUMNS)


def test_every_request_of_the_service_is_in_the_reference() -> None:
    paths = openapi()["paths"]
    assert {"/v1/identify", "/v1/measure", "/v2/identify/{project}"} <= set(paths)
    shown = GENERATORS["rest interface"]()
    assert all(f"`{method.upper()} {path}`" in shown for path, methods in paths.items() for method in methods)


def test_a_page_that_asks_for_something_unknown_is_an_error() -> None:
    with pytest.raises(Exception, match="nothing generates 'recipes of cakes'"):
        fill("<!-- generated: recipes of cakes -->")
