"""No picture without a licence for it."""

import pytest

from leafid.trust.thumbnails import may_be_shown


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("CC0-1.0", True),
        ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", True),
        ("http://creativecommons.org/licenses/by/4.0/", True),
        ("CC BY-NC-SA 4.0", True),
        ("public domain", True),
        ("CC BY-ND 4.0", False),
        ("CC BY-NC-ND 3.0", False),
        ("All rights reserved", False),
        ("ask the curator", False),
        ("", False),
    ],
)
def test_a_licence_allows_a_picture_or_it_does_not(licence: str, may: bool) -> None:
    assert may_be_shown(licence) is may
