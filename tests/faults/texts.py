"""Tables, jobs, descriptions and archives as programs, spreadsheets and strangers write them; all drawn by chance."""

import io
import json
import random
import struct
import zipfile
from copy import deepcopy
from typing import Any

from tests.faults.mutations import mutated

CELLS = (
    *(
        "",
        " ",
        "NA",
        "nan",
        "None",
        "0",
        "-1",
        "1e999",
        "9" * 5000,
        "=1+1",
        "\t",
        "true",
        "leaf.jpg",
        "photos/leaf.jpg",
    ),
    *(
        "Mitragyna speciosa",
        "Mitragyna aff. speciosa",
        "Mitragyna × speciosa",
        "M. sp.",
        "Viola",
        "Violá",
        "Viola\u0301",
    ),
    *(
        '"',
        '""',
        '"open',
        "a;b",
        "a,b",
        "a|b",
        "a\nb",
        "a\rb",
        "a\0b",
        "\u202eleaf",
        "\x1b[2J",
        "𝄞",
        "\ufeff",
        "'",
        "\\",
    ),
    *(
        "../../../etc/passwd",
        "/dev/zero",
        "https://example.org/leaf.jpg",
        "http://[::1/",
        "ftp://x",
        "javascript:1",
        "#",
    ),
    *("train", "validation", "tset", "1974-05-02", "0000-00-00", "10000-01-01", "90.0", "cf.", "CC0", "x" * 3000),
)
"""Values that have gone wrong somewhere."""

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, 10**30, 0.5, float("nan"), float("inf"), "", "x", "../x", "\x1b[2J", "𝄞" * 300, [], {}),
    *([[]], [None] * 20, {"": ""}, {"a": {"b": [1]}}, ["a", "a"], "9" * 400, "2026-99-99", "Mitragyna speciosa"),
)
"""Values of JSON and YAML that do not belong where they stand."""

_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252")


def table(chance: random.Random, columns: tuple[str, ...]) -> bytes:
    """Return a table with some of the columns."""
    header = [column for column in columns if chance.random() < 0.9]
    header += [chance.choice(CELLS)] if chance.random() < 0.2 else []
    delimiter, newline = chance.choice(",,;\t"), chance.choice(("\n", "\n", "\r\n", "\r"))
    lines = [delimiter.join(header)]
    for _ in range(chance.randrange(6)):
        width = len(header) + chance.choice((0, 0, 0, 0, 1, -1))
        cells = [chance.choice(CELLS) for _ in range(max(0, width))]
        quoted = ['"' + cell.replace('"', '""') + '"' if chance.random() < 0.6 else cell for cell in cells]
        lines.append(delimiter.join(quoted))
    text = newline.join(lines) + (newline if chance.random() < 0.7 else "")
    content = text.encode(chance.choice(_ENCODINGS), "replace")
    return mutated(content, b'"\n,;\xff\0', chance) if chance.random() < 0.5 else content


def changed_values(content: Any, chance: random.Random, values: tuple[Any, ...] = VALUES) -> Any:  # noqa: ANN401 -- JSON
    """Return JSON or YAML content with one to four values changed, removed, repeated or added."""
    content = json.loads(json.dumps(content, default=str))
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = list(_places(content))
        holder, key = chance.choice(places)
        match chance.randrange(4):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(("name", "kind", "x", "", str(key) + "s"))] = deepcopy(chance.choice(values))
            case 2 if isinstance(holder, list):
                holder += [holder[key]] * chance.choice((1, 200))
            case _:
                holder[key] = deepcopy(chance.choice(values))
        if not content:
            break
    return content


def _places(content: Any) -> Any:  # noqa: ANN401 -- JSON
    for key in list(content) if isinstance(content, dict) else range(len(content)):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


_YAML_PIECES = (
    *(
        "&a ",
        "*a",
        "!!python/object:os.system ",
        "!!binary ",
        "<<: *a\n",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "\t",
        "|\n",
        ">",
    ),
    *(
        "---\n",
        "...\n",
        "%YAML 9.9\n",
        "NO",
        "1e-4",
        "0x7f",
        "0o17",
        "1:20",
        "2026-11-27",
        "~",
        ".nan",
        "'",
        '"',
        "? ",
        "\0",
    ),
)


def yaml_text(text: str, chance: random.Random) -> bytes:
    """Return the text of a job with pieces of YAML set in, lines repeated, moved and cut."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.choice((1, 2, 5))):
        place = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                lines.insert(place, chance.choice(lines))
            case 1 if len(lines) > 1:
                del lines[place]
            case 2:
                lines[place] = " " * chance.choice((1, 2, 7)) + lines[place]
            case 3:
                lines.insert(place, chance.choice("[{") * chance.choice((3, 60, 3000)))
            case _:
                cut = chance.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:cut] + chance.choice(_YAML_PIECES) + lines[place][cut:]
    content = "".join(lines).encode(chance.choice(_ENCODINGS), "replace")
    return mutated(content, b"\xff\0[]{}&*", chance) if chance.random() < 0.2 else content


def safetensors_file(tensors: dict[str, tuple[str, list[int], bytes]], chance: random.Random) -> bytes:
    """Return a safetensors file whose description or data are wrong."""
    header: dict[str, Any] = {}
    data = b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    if chance.random() < 0.7:
        values: tuple[Any, ...] = (
            0,
            -1,
            1,
            2**31,
            2**63,
            2**64,
            10**20,
            "F64",
            "I64",
            "BF16",
            "U8",
            [0],
            [2**40, 2**40],
            [],
            None,
        )
        header = changed_values(header, chance, values)
    text = json.dumps(header).encode()
    length = len(text) if chance.random() < 0.8 else chance.choice((0, 1, 2**31, 2**63 - 1, len(text) + 8))
    made = struct.pack("<Q", length) + text + data
    return mutated(made, b"\0\xff{}[]", chance) if chance.random() < 0.4 else made


def rezipped(content: bytes, chance: random.Random, chosen: str) -> bytes:
    """Return a ZIP archive with the content of the member ``chosen`` mutated, or renamed, or left out.

    Others are mutated now and then.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            member = old.read(name)
            if name == chosen and chance.random() < 0.1:
                continue
            if name == chosen or chance.random() < 0.2:
                member = (
                    xml_text(member, chance) if name.endswith(".xml") else mutated(member, b'\t"\n\r\xff\0', chance)
                )
            new.writestr(chance.choice(("../", "/", "x\\")) + name if chance.random() < 0.03 else name, member)
    return made.getvalue()


_XML_VALUES = (
    *(
        "",
        "0",
        "-1",
        "9" * 18,
        "9" * 5000,
        "1.5",
        "id",
        "\\t",
        "\\n",
        ",",
        "&quot;",
        "&#10;",
        "&#0;",
        "|",
        "ab",
        "\\\\t",
    ),
    *(
        "UTF-8",
        "utf-16",
        "idna",
        "rot13",
        "zlib",
        "cp1252",
        "none",
        "../../../etc/passwd",
        "/dev/zero",
        "occurrence.txt",
    ),
)


def xml_text(content: bytes, chance: random.Random) -> bytes:
    """Return a meta.xml with values of attributes and pieces of tags changed."""
    text = content.decode("utf-8", "replace")
    for _ in range(chance.choice((1, 2, 4))):
        quotes = [place for place, letter in enumerate(text) if letter in "'\""]
        if len(quotes) < 2 or chance.random() < 0.25:
            place = chance.randrange(len(text) + 1)
            piece = chance.choice(
                ('<field index="1" term="x"/>', "<core>", "</core>", "<!--", "&x;", "<", "\x01", "]]>")
            )
            text = text[:place] + piece + text[place + chance.choice((0, 5, 40)) :]
            continue
        index = chance.randrange(len(quotes) - 1)
        text = text[: quotes[index] + 1] + chance.choice(_XML_VALUES) + text[quotes[index + 1] :]
    if chance.random() < 0.1:
        text = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z SYSTEM "file:///etc/passwd">]>' + text
    return text.encode("utf-8", "replace")
