"""Statements of limits that every human-readable output carries.

Sources: Sengnon et al. 2023 (alkaloid content varies by season and region, vein colour is not a diagnostic character);
Tungphatthong et al. 2021, Sci. Rep. 11: 6738 (DNA barcodes confirm the species); Brown, Lund & Murch 2017, J.
Ethnopharmacol. 202: 302 (sterile Mitragyna are difficult even for botanists).
"""

LIMITS = (
    "A leaf identification says nothing about alkaloids, potency, safety or legality; "
    "it is not medical, legal or forensic evidence. Confirm with DNA or chemistry."
)
"""The short form: one sentence for terminals, tables and pages."""

LIMITS_LONG = (
    "This is not a chemical test: a leaf identification says nothing about alkaloid content, potency or safety.",
    "It is not medical, legal or forensic evidence. Confirmation needs DNA (ITS2, Bar-HRM) or chemistry, "
    "and nothing here may be used to decide on eating anything.",
    "Legal status varies and changes: check the law where you are.",
    "The model knows only the taxa it was trained on, from pressed sheets and clear whole leaves; not powder, "
    "capsules, seedlings or sprout leaves. Sterile Mitragyna are difficult even for botanists.",
)
"""The long form, for model cards and reports."""
