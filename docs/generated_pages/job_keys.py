"""Every key of a job file, from its JSON Schema: where it stands, its values, its default, its meaning."""

from collections.abc import Iterator
from typing import Any

from leafid.jobs import job_schema

Schema = dict[str, Any]


def job_keys() -> str:
    """Return the keys of a job as Markdown: a heading for each section, a definition for each key."""
    schema = job_schema()
    lines = ["### The job itself", "", schema["description"], ""]
    sections = []
    for name, value in schema["properties"].items():
        if inner := _sections(value, schema):
            sections.append((name, value, inner))
        else:
            lines += _definition(name, value, schema, required=name in schema["required"])
    for name, value, inner in sections:
        lines += [f"### `{name}`", "", value.get("description", ""), ""]
        for one in inner:
            lines += _section(name, one, schema, several=len(inner) > 1)
    return "\n".join(lines) + "\n"


def key_names() -> list[str]:
    """Return the full names of all keys, such as ``training.max_epochs``."""
    schema = job_schema()
    return sorted(set(_names("", schema, schema)))


def _names(prefix: str, section: Schema, schema: Schema) -> Iterator[str]:
    for name, value in section["properties"].items():
        inner = _sections(value, schema)
        if not inner and name != "kind":  # in the headings
            yield prefix + name
        for one in inner:
            yield from _names(f"{prefix}{name}.", one, schema)


def _section(name: str, section: Schema, schema: Schema, *, several: bool) -> list[str]:
    """Return the keys of one section; where one of ``several`` stands in its place, with a heading."""
    lines = [f"#### `{name}` of kind `{section['properties']['kind']['const']}`", ""] if several else []
    lines += [section.get("description", ""), ""]
    nested = []
    for key, value in section["properties"].items():
        if inner := _sections(value, schema):
            nested += [(key, one) for one in inner]
        elif not (several and key == "kind"):
            lines += _definition(f"{name}.{key}", value, schema, required=key in section.get("required", ()))
    for key, one in nested:
        lines += [f"#### `{name}.{key}`", "", *_section(f"{name}.{key}", one, schema, several=False)]
    return lines


def _definition(name: str, value: Schema, schema: Schema, *, required: bool) -> list[str]:
    default = "; **must be given**" if required else _default(value.get("default"))
    meaning = " ".join(value.get("description", "").split())
    return [f"`{name}`", f": {_values(value, schema)}{default}. {meaning}", ""]


def _sections(value: Schema, schema: Schema) -> list[Schema]:
    """Return the sections that a key holds: one, several to choose from, or none if it holds a value."""
    if "$ref" in value:
        section = schema["$defs"][value["$ref"].rpartition("/")[2]]
        return [section] if "properties" in section else []
    if "oneOf" in (items := value.get("items", {})):
        return [found for one in items["oneOf"] for found in _sections(one, schema)]
    choices = [one for one in value.get("anyOf", ()) if one != {"type": "null"}]
    return _sections(choices[0], schema) if len(choices) == 1 else []


def _default(value: object) -> str:
    if value in (None, [], {}):
        return ""
    words = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value).replace("'", "")
    return f"; default `{words}`"


def _values(value: Schema, schema: Schema) -> str:
    """Return the allowed values in words."""
    if "$ref" in value:
        return _values(schema["$defs"][value["$ref"].rpartition("/")[2]], schema)
    if choices := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(_values(one, schema) for one in choices if one != {"type": "null"}))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    match value.get("type"):
        case "boolean":
            return "`true`, `false`"
        case "integer":
            return f"whole number{_range(value)}"
        case "number":
            return f"number{_range(value)}"
        case "array":
            items = value.get("items", {})
            return f"list of: {_values(items, schema)}" if items else "list"
        case "object":
            return "keys with values" if "properties" not in value else "name, or keys with values"
        case _:
            return "path" if value.get("format") == "path" else "text"


def _range(value: Schema) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    above, below = value.get("exclusiveMinimum"), value.get("exclusiveMaximum")
    parts = [
        f"from {low:,}" if low is not None else f"above {above:,}" if above is not None else "",
        f"to {high:,}" if high is not None else f"below {below:,}" if below is not None else "",
    ]
    return " ".join(["", *(part for part in parts if part)])
