"""``leafid columns``: what the columns of a catalog and of a result mean."""


def columns() -> None:
    """Explain the columns of a catalog, as Markdown."""
    from leafid.catalog import column_documentation

    print(column_documentation(), end="")
