"""Parse licences as publishers write them into SPDX identifiers; an unclear statement is ``unknown``.

Spellings in use: addresses with and without ``legalcode``, GBIF's ``CC_BY_NC_4_0``, ``CC0 1.0``, iDigBio's
``BY-NC-SA``, ``Creative Commons BY-SA-NC 3.0 license``, ``URL: http://...``, plain sentences.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MISSING = "missing"
UNKNOWN = "unknown"
RESERVED = "LicenseRef-All-Rights-Reserved"
PUBLIC_DOMAIN = "LicenseRef-Public-Domain"

_EMPTY_STATEMENTS = ("unspecified", "none", "n/a", "null", "-")

_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licen[sc]es/(?P<parts>[a-z-]+)/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,3}))?(?![a-z])"
    r"|publicdomain/(?P<public>zero|mark)/(?P<public_version>\d\.\d)|licen[sc]es/(?P<old>publicdomain))"
)
_OPEN_DATA = {"pddl": "PDDL-1.0", "odbl": "ODbL-1.0", "by": "ODC-By-1.0"}
_OPEN_DATA_ADDRESS = re.compile(r"opendatacommons\.org/licenses/(pddl|odbl|by)")
_ZERO = re.compile(r"\bcc[\s_-]*(?:0|zero)(?![a-z0-9])(?:[\s_-]*v?\.?\s*1[._]0)?|\bpublic domain dedication\b")
_PARTS = r"(?P<first>by)(?P<rest>(?:[\s_-]+(?:nc|sa|nd))*)"
_SHORT = re.compile(
    rf"(?:\bcc(?:[\s_:-]+)|\bcreative\s*commons\s+(?:licen[sc]e\s+)?(?:cc[\s_-]+)?){_PARTS}(?![a-z])"
    r"(?:[\s_,-]*(?:v|version)?\.?\s*(?P<version>[1-4][._][05]))?"
)
_BARE = re.compile(rf"{_PARTS}(?:[\s_-]+(?P<version>[1-4][._][05]))?")
_WORDS = re.compile(
    r"attribution(?P<rest>(?:[\s,/-]*(?:non[\s-]*commercial|share[\s-]*alike|no[\s-]*deriv(?:ative)?s?(?:\s*works?)?))*)"
    r"[\s,-]*(?:v|version)?\.?\s*(?P<version>[1-4]\.[05])?"
)
_NEGATION = re.compile(r"\b(?:not|no|except|unless)\b.{0,20}\b(?:cc|creative|licen[sc])")
_RESERVED = re.compile(r"all rights reserved|tous droits r[ée]serv[ée]s|alle rechte vorbehalten|no re-?use")
_RESTRICTIONS = {
    "nc": re.compile(r"\bnc\b|non[\s-]*commercial|commercial (?:use|purposes)"),
    "nd": re.compile(r"\bnd\b|no[\s-]*deriv"),
    "sa": re.compile(r"\bsa\b|share[\s-]*alike"),
}
_PUBLIC = re.compile(r"\b(?:public domain|no (?:known )?copyright restrictions?)\b")


@dataclass(frozen=True)
class Licence:
    """A licence: its SPDX identifier (or ``missing``, ``unknown``), and the publisher's own statement."""

    name: str
    statement: str

    @property
    def known(self) -> bool:
        """Whether the publisher's statement is clear."""
        return self.name not in (MISSING, UNKNOWN)


def read_licence(*statements: str | None) -> Licence:
    """Parse the licence from one or several statements of a publisher, the most formal first.

    The first clear statement counts. A statement that names two different licences is not clear.
    """
    words = (" ".join(statement.split()) for statement in statements if statement)
    given = [statement for statement in words if statement and statement.lower() not in _EMPTY_STATEMENTS]
    for statement in given:
        name = _name(statement)
        if name != UNKNOWN:
            return Licence(name, statement)
    return Licence(UNKNOWN, given[0]) if given else Licence(MISSING, "")


def effective_licence(medium: Licence, record: Licence) -> tuple[Licence, str]:
    """Return the licence that applies and its origin, ``medium`` or ``record``.

    The medium's own licence applies even if it is unknown; the record's applies only where the medium has none.
    """
    return (record, "record") if medium.name == MISSING and record.name != MISSING else (medium, "medium")


def _name(statement: str) -> str:
    text = statement.lower()
    names = {*_from_addresses(text)}
    if not names and not _NEGATION.search(text):
        names = {*_from_words(text)}
    if len(names) != 1:
        return UNKNOWN
    name = names.pop()
    return UNKNOWN if _restricted_further(text, name) else name


def _restricted_further(text: str, name: str) -> bool:
    """Whether other words restrict the licence further, as in ``CC BY 4.0, non-commercial use only``."""
    parts = name.lower().split("-")
    words = text.replace("_", " ")
    return any(part not in parts and pattern.search(words) for part, pattern in _RESTRICTIONS.items())


def _from_addresses(text: str) -> Iterable[str]:
    for match in _ADDRESS.finditer(text):
        if match["old"]:
            yield PUBLIC_DOMAIN
        elif match["public"]:
            yield f"CC0-{match['public_version']}" if match["public"] == "zero" else "CC-PDM-1.0"
        else:
            port = match["port"]
            suffix = f"-{port.upper()}" if port and port not in ("deed", "legalcode") else ""
            yield _spdx_name(match["parts"].split("-"), match["version"]) + suffix
    for match in _OPEN_DATA_ADDRESS.finditer(text):
        yield _OPEN_DATA[match[1]]


def _from_words(text: str) -> Iterable[str]:
    if _RESERVED.search(text):
        yield RESERVED
    if _ZERO.search(text):
        yield "CC0-1.0"
    elif _PUBLIC.search(text):
        yield PUBLIC_DOMAIN
    bare = _BARE.fullmatch(text)
    for match in [bare] if bare else _SHORT.finditer(text):
        yield _spdx_name(["by", *re.findall("nc|sa|nd", match["rest"])], match["version"])
    for match in _WORDS.finditer(text):
        if "creative commons" in text or match["version"] or match["rest"]:
            rest = match["rest"]
            parts = [short for short, word in (("nc", "commercial"), ("sa", "share"), ("nd", "deriv")) if word in rest]
            yield _spdx_name(["by", *parts], match["version"])


def _spdx_name(parts: Iterable[str], version: str | None) -> str:
    """Put ``by``, ``nc``, ``sa``, ``nd`` into SPDX order; add the version if there is one."""
    present = set(parts)
    if not present <= {"by", "nc", "sa", "nd"} or "by" not in present or {"sa", "nd"} <= present:
        return UNKNOWN
    ordered = [part.upper() for part in ("by", "nc", "sa", "nd") if part in present]
    return "-".join(["CC", *ordered, *([version.replace("_", ".")] if version else [])])
