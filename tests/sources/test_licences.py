"""Every restriction of a publisher is kept, and an unclear statement is never read as permission."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.jobs.fetching import LICENCE_PATTERN
from leafid.sources.providers.licences import Licence, effective_licence, read_licence


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("http://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0-US"),
        ("URL: http://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        ("CC_BY_NC_4_0", "CC-BY-NC-4.0"),
        ("CC0_1_0", "CC0-1.0"),
        ("CC0 1.0", "CC0-1.0"),
        ("cc-by-sa-2.5", "CC-BY-SA-2.5"),
        ("BY-NC-SA", "CC-BY-NC-SA"),
        ("Available under Creative Commons BY-SA-NC 3.0 license", "CC-BY-NC-SA-3.0"),
        ("creative commons attribution share alike 3.0 migrated", "CC-BY-SA-3.0"),
        ("Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0"),
        ("Creative Commons Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0"),
        ("Public Domain", "LicenseRef-Public-Domain"),
        ("© 2012 The Trustees. All rights reserved.", "LicenseRef-All-Rights-Reserved"),
    ],
)
def test_spellings_of_publishers_are_read(statement: str, name: str) -> None:
    assert read_licence(statement) == Licence(name, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UNSUPPORTED",
        "https://huh.harvard.edu/access-digital-reproductions-works-public-domain",
        "© University of Connecticut",
        "CC BY 4.0 or CC0",
        "not CC BY",
        "by the museum",
        "Creative Commons License",
        "CC BY-SA-ND 4.0",
        "CC BY 4.0, non-commercial use only",
        "CC BY / NC 4.0",
        "public domain, commercial use needs a permit",
    ],
)
def test_unclear_statements_are_unknown(statement: str) -> None:
    assert read_licence(statement).name == "unknown"


def test_no_statement_is_missing() -> None:
    assert read_licence(None, "", "  ").name == "missing"
    assert read_licence("UNSPECIFIED").name == "missing"


def test_the_first_clear_statement_counts_and_an_unclear_one_is_kept() -> None:
    assert read_licence("© Harvard", "http://creativecommons.org/licenses/by-nc/3.0/").name == "CC-BY-NC-3.0"
    assert read_licence("© Harvard", "ask us").statement == "© Harvard"


def test_the_licence_of_the_medium_precedes_that_of_the_record() -> None:
    strict, free, none, unclear = map(read_licence, ("CC BY-NC-SA 4.0", "CC0", None, "ask us"))
    assert effective_licence(strict, free) == (strict, "medium")
    assert effective_licence(none, free) == (free, "record")
    assert effective_licence(unclear, free) == (unclear, "medium")
    assert effective_licence(none, none)[0].name == "missing"


PARTS = st.lists(st.sampled_from(["nc", "sa", "nd"]), unique=True).map(lambda rest: ["by", *rest])


@given(PARTS, st.sampled_from(["1.0", "2.5", "3.0", "4.0"]), st.sampled_from("-_ "), st.booleans())
def test_no_restriction_is_ever_lost(parts: list[str], version: str, joint: str, upper: bool) -> None:
    statement = f"cc{joint}{joint.join(parts)} {version}"
    name = read_licence(statement.upper() if upper else statement).name
    assert name == "unknown" or {*name.lower().split("-")} == {"cc", *parts, version}
    assert name != "unknown" or {"sa", "nd"} <= {*parts}


@given(st.text())
def test_any_text_gives_a_name_that_a_job_may_contain(statement: str) -> None:
    assert LICENCE_PATTERN.fullmatch(read_licence(statement).name)
