"""Tables of the columns of catalogs, results and leaf characters, as ``leafid columns`` prints them."""

from leafid import catalog, characters, identify


def catalog_columns() -> str:
    """Return the columns of a catalog as a Markdown table."""
    return catalog.column_documentation()


def result_columns() -> str:
    """Return the columns of a result as a Markdown table."""
    return identify.column_documentation()


def character_columns() -> str:
    """Return the columns of a table of leaf characters as a Markdown table."""
    return characters.column_documentation()
