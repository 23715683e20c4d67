"""``leafid columns``: what the columns of a catalog and of a result mean."""


def columns() -> None:
    """Explain the columns of a catalog and of a result file, as Markdown."""
    from leafid.catalog import column_documentation as of_catalogs
    from leafid.identify import column_documentation as of_results

    print(
        f"# A catalog: one row per image\n\n{of_catalogs()}\n# A result: one record per image\n\n{of_results()}", end=""
    )
