"""Answers in words, in the languages of ``texts``: what a botanist reads first."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from leafid.identify import Record, Status

DEFAULT_LANGUAGE = "en"
_CERTAIN = 0.99
"""Probability from which an answer is called almost certain."""
_NAMED = 5
"""Names that a sentence lists."""


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages that have texts, such as ``en``."""
    names = [entry.name for entry in files("leafid.serve").joinpath("texts").iterdir()]
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


@cache
def texts(language: str) -> dict[str, str]:
    """Return all texts in a language; English ones where it has none, or is not among ``languages``."""
    known = language if language in languages() else DEFAULT_LANGUAGE
    return _read_texts(DEFAULT_LANGUAGE) | _read_texts(known)


def _read_texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(files("leafid.serve").joinpath("texts", f"{language}.json").read_text("utf-8"))
    return found


@dataclass(frozen=True)
class Words:
    """An answer in words.

    Attributes:
        sentences: the answer, the most important one first.
        advice: what to do for a better answer; None if there is a name.
    """

    sentences: tuple[str, ...]
    advice: str | None


def in_words(record: Record, photos: Sequence[Record], language: str) -> Words:
    """Put the answer for a plant into words.

    Args:
        record: of the plant.
        photos: the records of its photos.
        language: one of ``languages``.
    """
    words = texts(language)
    if record.status is Status.FAILED:
        return Words((words["failed"].format(reason=record.reason),), words["advice_failed"])
    others = [one for one in record.prediction_set if one.scientific_name != record.scientific_name]
    excluded = words["cannot_exclude"].format(names=_listed(one.scientific_name for one in others))
    if record.scientific_name is None:
        code = record.reason_code
        reason = words.get(f"reason_{code}", str(record.reason))
        first = record.candidates[0]
        named = {"name": first.scientific_name, "probability": f"{first.probability:.2f}"}
        sentences = [words["undetermined"], reason]
        if code == "ambiguous":  # a plant that no taxon of the bundle resembles needs no likeliest one
            sentences += [words["undetermined_first"].format(**named), *([excluded] if others else [])]
        return Words(tuple(sentences), words.get(f"advice_{code}"))
    named = {"name": record.scientific_name, "probability": f"{record.probability:.2f}"}
    if record.taxon_rank not in (None, "species"):
        count = words["photos_one"] if len(photos) == 1 else words["photos_many"].format(count=len(photos))
        between = [
            f"{one.scientific_name} {one.probability:.2f}"
            for one in record.candidates
            if one.scientific_name.startswith(f"{record.scientific_name} ") or record.taxon_rank == "family"
        ]
        sentence = words["genus_only"].format(**named, count=count, names=_listed(between[:2]))
        return Words((sentence,), words["advice_ambiguous"])
    certain = record.probability is not None and record.probability >= _CERTAIN and not others
    sentence = words["almost_certainly" if certain else "probably"].format(**named)
    return Words((sentence, excluded) if others else (sentence,), None)


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" (+{len(listed) - _NAMED})" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
