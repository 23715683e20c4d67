"""No thumbnail without a licence that allows it."""

import pytest

from leafid.trust.thumbnails import allows_thumbnail


@pytest.mark.parametrize(
    ("licence", "allowed"),
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
def test_permissive_licences_allow_a_thumbnail(licence: str, allowed: bool) -> None:
    assert allows_thumbnail(licence) is allowed
