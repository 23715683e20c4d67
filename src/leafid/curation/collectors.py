"""Normalise collector, number and date of specimen labels, so that duplicates of one gathering match.

Each herbarium transcribes a label in its own way: ``Leeuwenberg A.J.M.`` 10339, ``Anthonius J.M. Leeuwenberg`` 10339,
``Leeuwenberg AJM`` ``Leeuwenberg, AJM 10339``. ParseGBIF (PMC10914741) matches by the same three fields.
"""

import calendar
import datetime
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_PARTICLES = {
    *"de da do dos du des del della di la le las los van von zu zur der den ten ter af av el al bin".split(),
    *"and et y e und with con avec mit ex in coll leg col sin nr no not anon anonymous unknown collector".split(),
    *"jr sr dr prof mr mrs miss rev father brother sister pater the of fide".split(),
}
_PLACEHOLDERS = re.compile(
    r"no disponible|not available|unknown|anonym\w*|illegible|desconocido|sin colector|^s\.? ?[cn]\.?$"
)
_BETWEEN_PERSONS = re.compile(r"[;|&/+]|\s(?:and|et|y|und|with|con|avec|mit)\s")
_INITIALS = re.compile(r"(?:[A-Z]\.?-?){1,4}|[A-Z][a-z]{0,2}\.")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Period:
    """The first and last possible day of a gathering, both included."""

    first: datetime.date
    last: datetime.date

    @property
    def is_a_day(self) -> bool:
        """Whether the date is known to the day."""
        return self.first == self.last

    def overlaps(self, other: "Period") -> bool:
        """Whether both periods share a day."""
        return self.first <= other.last and other.first <= self.last


@lru_cache(maxsize=65536)
def surnames(recorded_by: str) -> frozenset[str]:
    """Return the surnames of the collectors in lower case without accents; empty if there are none.

    ``Koning J de``, ``J. de Koning`` and ``De Koning J.`` are all ``{"koning"}``.
    """
    text = re.sub(r"<[^>]*>", " ", recorded_by)
    if _PLACEHOLDERS.search(_plain(text).strip()):
        return frozenset()
    found = set()
    for person in _BETWEEN_PERSONS.split(text):
        parts = [part.strip() for part in person.split(",") if part.strip()]
        for index, part in enumerate(parts):
            if index and not _names_in(part):
                continue  # initials after a surname: "Nagalingum, N.S."
            surname = _surname_of(part, before_comma=len(parts) > 1 and index == 0)
            if surname:
                found.add(surname)
    return frozenset(found)


@lru_cache(maxsize=65536)
def name_words(recorded_by: str) -> frozenset[str]:
    """Return all words of the collectors' names, including first names, without initials and particles."""
    text = re.sub(r"<[^>]*>", " ", recorded_by)
    if _PLACEHOLDERS.search(_plain(text).strip()):
        return frozenset()
    return frozenset(_plain(word) for part in re.split(r"[;|&/+,]", text) for word in _names_in(part))


@lru_cache(maxsize=65536)
def number_digits(record_number: str) -> str:
    """Return the digits of a collector's number: ``HFP 2687``, ``HFP2687`` and ``Ramamoorthy HFP-2687`` are ``2687``.

    Groups of digits stay separate (``79-13``), leading zeros are dropped, and ``s.n.`` is empty.
    """
    groups = [group.lstrip("0") for group in _DIGITS.findall(record_number)]
    return "-".join(group for group in groups if group)


@lru_cache(maxsize=65536)
def parse_period(event_date: str) -> Period | None:
    """Parse an ISO 8601 date or interval of any precision: ``1972-09-21``, ``1981``, ``1969-07-14/1969-07-15``."""
    ends = [_one_period(part.strip()) for part in event_date.split("/")]
    if len(ends) > 2 or any(end is None for end in ends):
        return None
    first, last = ends[0], ends[-1]
    return Period(first.first, last.last) if first and last and first.first <= last.last else None


def _one_period(text: str) -> Period | None:
    matched = re.match(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:$|[T ])", text)
    if not matched:
        return None
    year, month, day = (int(part) if part else None for part in matched.groups())
    try:
        first = datetime.date(year or 0, month or 1, day or 1)
        if day:
            return Period(first, first)
        last_month = month or 12
        last_day = calendar.monthrange(first.year, last_month)[1]
        return Period(first, datetime.date(first.year, last_month, last_day))
    except ValueError:
        return None


def _surname_of(person: str, *, before_comma: bool) -> str | None:
    """Return the surname of one person, whose names may be in any order."""
    words = _names_in(person)
    if not words:
        return None
    tokens = _tokens(person)
    begins_with_name = tokens[0] in words or _plain(tokens[0]) in _PARTICLES
    ends_with_initials = tokens[-1] not in words
    chosen = words[-1] if before_comma or not (begins_with_name and ends_with_initials) else words[0]
    return _plain(chosen)


def _names_in(person: str) -> list[str]:
    """Return the words of a person's name in order, without initials, particles and numbers."""
    words = []
    for token in _tokens(person):
        plain = _plain(token)
        if plain in _PARTICLES or _INITIALS.fullmatch(token) or not plain.isalpha() or len(plain) < 2:
            continue
        words.append(token)
    return words or _upper_case_names(person)


def _upper_case_names(person: str) -> list[str]:
    """Return words of three or more capitals, for names in upper case such as ``NEE M``."""
    return [token for token in _tokens(person) if len(token) >= 3 and token.isalpha() and token.isupper()]


def _tokens(person: str) -> list[str]:
    """Split at spaces, after initials (``A.J.Smith``), and before a hyphenated initial (``Morales-L.``)."""
    spaced = re.sub(r"(?<=\b[A-Z])\.(?=\w)", ". ", person)
    spaced = re.sub(r"(?<=\b[A-Z][a-z])\.(?=\w)", ". ", spaced)
    spaced = re.sub(r"-(?=[A-Z]\.?(?:$|\W))", " ", spaced)
    tokens = [token.strip("()[]\"'?:") for token in spaced.replace("-", "").split()]
    tokens = [token.rstrip(".") if len(token) > 4 else token for token in tokens]
    return [token for token in tokens if token] or [""]


def _plain(text: str) -> str:
    """Return the text in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
