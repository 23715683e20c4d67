"""``leafid columns``: documents the columns of catalogs, results and tables of leaf characters."""

from leafid.cli.standard_streams import check_printed


def columns() -> None:
    """Explain the columns of all tables.

    Prints the columns of a catalog, of a result file and of a table of leaf characters as Markdown.
    """
    from leafid.catalog import column_documentation as of_catalogs
    from leafid.characters import column_documentation as of_characters
    from leafid.identify import column_documentation as of_results

    parts = {
        "A catalog: one row per image": of_catalogs(),
        "A result: one record per image": of_results(),
        "Leaf characters (`leafid measure`): one row per leaf": of_characters(),
    }
    print("\n".join(f"# {title}\n\n{table}" for title, table in parts.items()), end="")
    check_printed()
