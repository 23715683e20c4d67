"""Restrict the question to some of a bundle's taxa: by name, or by the country in which the plant grew."""

import re
from dataclasses import dataclass
from pathlib import Path

from leafid.errors import UsageError
from leafid.scientific_names import canonical
from leafid.shipped import shipped
from leafid.tables import TableError, read_table
from leafid.taxonomy import Taxonomy

DISTRIBUTION = "data/distribution.csv"
"""Countries (ISO 3166-1 alpha-2) of each taxon, native and cultivated, with the range as its source gives it."""

_NAME_COLUMNS = ("scientificName", "taxon", "name")


@dataclass(frozen=True)
class Restriction:
    """The taxa among which the answer lies, and what a reader should know about the choice."""

    taxa: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def restriction(taxonomy: Taxonomy, *, taxa: str | None, country: str | None) -> Restriction | None:
    """Return the taxa that the options leave, in label order; None without an option.

    Args:
        taxonomy: of the bundle.
        taxa: names separated by commas, or a file with one name per line or in a column ``scientificName``.
        country: ISO 3166-1 alpha-2 code, such as ``TH``. Taxa without a row in the table are kept.

    Raises:
        UsageError: a name is not among the taxa, the file cannot be read, the code is unknown, or no taxon is left.
    """
    if taxa is None and country is None:
        return None
    left, remarks = taxonomy.names, []
    if taxa is not None:
        left = _named(taxonomy, taxa)
    if country is not None:
        growing, unlisted = _of_country(taxonomy, country)
        left = tuple(name for name in left if name in growing)
        if unlisted:
            remarks.append(
                f"--country: the countries of {len(unlisted)} taxa are not known, so they stay among the answers: "
                f"{', '.join(unlisted[:5])}{' ...' if len(unlisted) > 5 else ''}."
            )
    if not left:
        options = " and ".join(option for option, value in (("--taxa", taxa), ("--country", country)) if value)
        raise UsageError(f"{options} leave none of the bundle's {len(taxonomy)} taxa. Widen the choice.")
    return Restriction(left, tuple(remarks))


def _named(taxonomy: Taxonomy, option: str) -> tuple[str, ...]:
    path = Path(option)
    given = _names_in_file(path) if path.is_file() else [name for name in option.split(",") if name.strip()]
    known = {canonical(name): name for name in taxonomy.names}
    unknown = [name.strip() for name in given if canonical(name) not in known]
    if unknown:
        raise UsageError(
            f"--taxa: not among the bundle's {len(taxonomy)} taxa, nor a file: {', '.join(map(repr, unknown[:10]))}"
            f"{f' and {len(unknown) - 10} more' if len(unknown) > 10 else ''}. The taxa are in MODEL_CARD.md."
        )
    chosen = {known[canonical(name)] for name in given}
    return tuple(name for name in taxonomy.names if name in chosen)


def _names_in_file(path: Path) -> list[str]:
    try:
        table = read_table(path)
    except (OSError, TableError) as error:
        raise UsageError(f"--taxa: {path} cannot be read: {error}") from None
    column = next((table.header.index(name) for name in _NAME_COLUMNS if name in table.header), None)
    if column is None and len(table.header) > 1:
        raise UsageError(f"--taxa: {path} has no column {' or '.join(_NAME_COLUMNS)}, but {', '.join(table.header)}.")
    names = [fields[column or 0] for _, fields in table.rows]
    return [name for name in ([*table.header, *names] if column is None else names) if name.strip()]


def _of_country(taxonomy: Taxonomy, country: str) -> tuple[set[str], list[str]]:
    """Return the taxa that grow in a country or may do so, and among them those without a row in the table."""
    table = read_table(shipped(DISTRIBUTION))
    rows = [dict(zip(table.header, fields, strict=True)) for _, fields in table.rows]
    countries = {row["taxon"]: {*row["countries"].split(), *row["cultivated"].split()} for row in rows}
    code = country.strip().upper()
    known = sorted(set().union(*countries.values()))
    if not re.fullmatch("[A-Z]{2}", code) or code not in known:
        raise UsageError(
            f"--country {country}: no taxon is known from there. Give a code of ISO 3166-1 among {', '.join(known)}, "
            "or name the possible taxa with --taxa."
        )
    unlisted = [name for name in taxonomy.names if name not in countries]
    growing = {name for name in taxonomy.names if code in countries.get(name, {code})}
    return growing, unlisted
