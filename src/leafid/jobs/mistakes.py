"""From pydantic's errors to sentences a botanist can act on: the value, the place, the fix."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Mistake:
    """One mistake: its place (a line number, or the words of an override) and what to do."""

    place: int | str
    text: str


class Places(Protocol):
    """Knows where a key stands."""

    def of(self, key: Key) -> int | str:
        """Return the line of ``key``, or the override that set it."""


def describe(error: ValidationError, model: type[BaseModel], places: Places) -> list[Mistake]:
    """Turn every error of a validation into a mistake with its place; what is said of one value is said in one line."""
    wishes: dict[Key, list[str]] = {}
    shown: dict[Key, str] = {}
    for detail in error.errors():
        section, key = _resolve(model, detail["loc"])
        if detail["type"] == "too_short" and len(wishes) and detail["input"]:
            continue  # the list is short only because its entries, already complained of, were refused
        wishes.setdefault(key, []).append(_wish(detail, key, section))
        shown[key] = "" if detail["type"] in ("extra_forbidden", "missing") else _shown(detail["input"])
    return [
        Mistake(
            places.of(key), " ".join(f"{'.'.join(map(str, key)) or 'the job'}: {shown[key]} {_either(wish)}".split())
        )
        for key, wish in wishes.items()
    ]


def _either(wishes: list[str]) -> str:
    """Join what each member of a union would accept: ``must be a whole number, or 'auto'``."""
    return ", or ".join([wishes[0], *(wish.removeprefix("must be ") for wish in wishes[1:])])


def _resolve(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[type[BaseModel] | None, Key]:
    """Follow an error's location through the models; leave out the tags that pydantic adds for unions."""
    section: type[BaseModel] | None = model
    candidates: list[type[BaseModel]] = [model]
    key: list[str | int] = []
    for part in loc:
        if isinstance(part, int):
            key.append(part)
            continue
        tagged = [one for one in candidates if _tag(one) == part or one.__name__ == part]
        if len(candidates) > 1 and tagged:
            candidates = tagged
            continue
        section = candidates[0] if candidates else None
        field = section.model_fields.get(part) if section else None
        if field is None and section is None and key:
            continue  # pydantic's name for a member of a union, such as int or literal['auto']
        key.append(part)
        candidates = _models_in(field.annotation) if field else []
    return section, tuple(key)


def _tag(model: type[BaseModel]) -> str | None:
    """The ``kind`` by which a discriminated union knows a model."""
    field = model.model_fields.get("kind")
    values = get_args(field.annotation) if field else ()
    return values[0] if values else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 -- any type annotation
    """All models that occur in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _did_you_mean(word: str, section: type[BaseModel] | None) -> str:
    known = list(section.model_fields) if section else []
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _shown(value: object) -> str:
    """The value as the user wrote it, shortened; sections are not repeated."""
    if isinstance(value, dict | list | tuple):
        return ""
    text = "nothing" if value is None else repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wish(detail: ErrorDetails, key: Key, section: type[BaseModel] | None) -> str:
    """What the value should have been, in plain words."""
    limits = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{_did_you_mean(str(key[-1]), section)}"
        case "missing":
            return "is missing"
        case "greater_than":
            return f"must be greater than {limits['gt']}"
        case "greater_than_equal":
            return f"must be at least {limits['ge']}"
        case "less_than":
            return f"must be less than {limits['lt']}"
        case "less_than_equal":
            return f"must be at most {limits['le']}"
        case "literal_error" | "union_tag_invalid":
            return f"must be {limits.get('expected') or limits.get('expected_tags')}"
        case "union_tag_not_found":
            return "needs a kind, such as kind: folder"
        case "int_parsing" | "int_type" | "int_from_float":
            return "must be a whole number"
        case "float_parsing" | "float_type":
            return "must be a number"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "string_type":
            return "must be text; put it in quotes"
        case "string_pattern_mismatch":
            return f"must match {limits['pattern']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a section with keys of its own"
        case "tuple_type" | "list_type":
            return "must be a list; begin each entry with a dash"
        case "too_short":
            return "needs at least one entry"
        case "value_error":
            return str(limits["error"])
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:]
