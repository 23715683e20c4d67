"""Turn pydantic's errors into sentences that a botanist can act on: the value, the place, the fix."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Key = tuple[str | int, ...]
"""Path of a value in a job: names of sections and keys, indices of lists."""

RENAMED_KEYS: dict[Key, str] = {
    ("sheets", "whole_size"): "overview_size",
    ("training", "average_epochs"): "ema_epochs",
    ("training", "first_layer_rate"): "first_layer_lr_mult",
    ("training", "probe_copies"): "probe_augmented_copies",
    ("trust", "known_accepted"): "id_acceptance_rate",
    ("trust", "min_score"): "min_probability",
}
"""Keys that job files used before they were renamed: old key with its section, new name in the same section."""

RENAMED_VALUES: dict[tuple[Key, str], str] = {(("model", "pooling"), "second-order"): "covariance"}
"""Values that were renamed: key and old value, new value."""


@dataclass(frozen=True)
class Mistake:
    """One mistake: its location (a line number, or the text of an override) and what to do."""

    location: int | str
    text: str


class Locations(Protocol):
    """The location of each key."""

    def of(self, key: Key) -> int | str:
        """Return the line of ``key``, or the override that set it."""


def describe(error: ValidationError, model: type[BaseModel], locations: Locations) -> list[Mistake]:
    """Turn the errors of a validation into mistakes with their locations, one for each value."""
    expected: dict[Key, list[str]] = {}
    shown: dict[Key, str] = {}
    for detail in error.errors():
        section, key = _resolve(model, detail["loc"])
        if detail["type"] == "too_short" and len(expected) and detail["input"]:
            continue  # the list is short only because its entries, reported already, were refused
        expected.setdefault(key, []).append(_expected(detail, key, section))
        shown[key] = "" if detail["type"] in ("extra_forbidden", "missing") else _shown(detail["input"])
    return [
        Mistake(
            locations.of(key),
            " ".join(f"{'.'.join(map(str, key)) or 'the job'}: {shown[key]} {_either(texts)}".split()),
        )
        for key, texts in expected.items()
    ]


def _either(expected: list[str]) -> str:
    """Join what each member of a union would accept: ``must be a whole number, or 'auto'``."""
    return ", or ".join([expected[0], *(text.removeprefix("must be ") for text in expected[1:])])


def _resolve(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[type[BaseModel] | None, Key]:
    """Follow an error's location through the models; omit the tags that pydantic adds for unions."""
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
    """Return the ``kind`` of a model in a discriminated union."""
    field = model.model_fields.get("kind")
    values = get_args(field.annotation) if field else ()
    return values[0] if values else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 -- any type annotation
    """Return all models that occur in a type annotation."""
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
    """Return the value as the user wrote it, shortened; sections are not repeated."""
    if isinstance(value, dict | list | tuple):
        return ""
    text = "nothing" if value is None else repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expected(detail: ErrorDetails, key: Key, section: type[BaseModel] | None) -> str:
    """Return in plain words what the value should have been."""
    if detail["type"] == "extra_forbidden" and key in RENAMED_KEYS:
        return f"was renamed to {RENAMED_KEYS[key]}"
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        new = RENAMED_VALUES.get((key, detail["input"]))
        if new is not None:
            return f"was renamed to {new}"
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
        case "finite_number":
            return "must be a finite number"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "string_type":
            return "must be text; put it in quotes"
        case "string_pattern_mismatch":
            return f"must match {limits['pattern']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            field = section.model_fields.get(str(key[-1])) if section and key else None
            keys = [name for model in _models_in(field.annotation if field else None) for name in model.model_fields]
            return (
                f"must be a section with keys, such as {', '.join(dict.fromkeys(keys))}" if keys else "must have keys"
            )
        case "tuple_type" | "list_type":
            return "must be a list; begin each entry with a dash"
        case "too_short":
            return "needs at least one entry"
        case "value_error":
            return str(limits["error"])
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:]
