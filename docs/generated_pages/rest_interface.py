"""The REST interface, from the service's own OpenAPI description."""

from typing import Any

from fastapi import FastAPI

from leafid.serve.application import ROUTERS
from leafid.serve.leafid_api import ERRORS
from leafid.version import __version__

Schema = dict[str, Any]


def openapi() -> Schema:
    """Return the description that a running service has at ``/openapi.json``, without what its bundle adds."""
    app = FastAPI(title="leafid", version=__version__)
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


def rest_interface() -> str:
    """Return requests and answers as Markdown: a heading for each request, a table for each answer's fields."""
    description = openapi()
    lines: list[str] = []
    for path, methods in description["paths"].items():
        for method, request in methods.items():
            lines += [f"### `{method.upper()} {path}`", "", request.get("description", request["summary"]), ""]
            lines += _parameters(request) + _responses(request)
    lines += ["## Errors", "", "An error has a status and a JSON body with a message in words.", ""]
    lines += ["| status | meaning |", "| --- | --- |"]
    lines += [f"| {status} | {error['description']} |" for status, error in ERRORS.items()]
    lines += ["", "## What requests and answers hold", ""]
    for name, schema in description["components"]["schemas"].items():
        if not name.endswith("ValidationError"):
            lines += _schema(name, schema)
    return "\n".join(lines) + "\n"


def _parameters(request: Schema) -> list[str]:
    rows = [
        f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {one.get('description', '')} |"
        for one in request.get("parameters", ())
    ]
    for kind, body in request.get("requestBody", {}).get("content", {}).items():
        schema = body["schema"]
        if "$ref" in schema:
            rows.append(f"| (body) | {kind} | {_type(schema)} | |")
        for name, value in schema.get("properties", {}).items():
            rows.append(f"| `{name}` | form | {_type(value)} | {value.get('description', '')} |")
    return ["| parameter | in | values | meaning |", "| --- | --- | --- | --- |", *rows, ""] if rows else []


def _responses(request: Schema) -> list[str]:
    """Return the answers, without the errors that most requests have."""
    lines = []
    for status, response in request["responses"].items():
        schemas = [body["schema"] for body in response.get("content", {}).values() if body.get("schema")]
        if status.startswith("2") and schemas:
            lines.append(f"Answer: {' or '.join(map(_type, schemas))}.")
        elif (
            status[0] != "2"
            and status != "422"
            and response["description"] != ERRORS.get(int(status), {}).get("description")
        ):
            lines.append(f"Error {status}: {response['description']}")
    return [part for line in lines for part in (line, "")]


def _schema(name: str, schema: Schema) -> list[str]:
    rows = [
        f"| `{key}` | {_type(value)} | {_one_line(value.get('description', ''))} |"
        for key, value in schema.get("properties", {}).items()
    ]
    title = [f"({_target(name)})=", "", f"### {_title(name)}", "", schema.get("description", ""), ""]
    if "enum" in schema:
        return [*title, f"One of {', '.join(f'`{one}`' for one in schema['enum'])}.", ""]
    return [*title, "| field | type | meaning |", "| --- | --- | --- |", *rows, ""]


def _title(name: str) -> str:
    """Return the name of a schema; where two modules have one of that name, FastAPI puts the module before it."""
    module, _, title = name.rpartition("__")
    return f"{title} (as Pl@ntNet)" if "plantnet" in module else title


def _target(name: str) -> str:
    return f"rest-{name.lower().replace('_', '-')}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _type(schema: Schema) -> str:
    """Return the type of a value in words; objects of this interface link to their table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{_title(name)}](#{_target(name)})"
    if choices := schema.get("anyOf"):
        return " or ".join(_type(one) for one in choices if one != {"type": "null"})
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: {_type(schema['prefixItems'][0])}"
    if schema.get("type") == "array":
        return f"list of: {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(inner := schema.get("additionalProperties"), dict) and inner:
        return f"by name: {_type(inner)}"
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return "file"
    return {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}.get(
        schema.get("type", ""), "object"
    )
