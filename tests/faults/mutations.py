"""Mutations of bytes: as transmission, disks, programs and strangers make them."""

import random
import re
import zlib
from collections.abc import Callable
from typing import Literal

_BYTES = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PNG = b"\x89PNG\r\n\x1a\n"


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return the content with one to six mutations.

    Args:
        content: a whole file.
        other: another file, from which pieces are taken.
        chance: decides.
    """
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if changed:
            chance.choice(_MUTATIONS)(changed, other, chance)
    if changed.startswith(_PNG) and chance.random() < 0.7:
        _correct_checksums(changed)
    return bytes(changed)


def _place(content: bytearray, chance: random.Random) -> int:
    """Return a place, half of the time near the beginning, where headers are."""
    return chance.randrange(len(content) if chance.random() < 0.5 else min(len(content), 160))


def _flip_bit(content: bytearray, other: bytes, chance: random.Random) -> None:
    content[_place(content, chance)] ^= 1 << chance.randrange(8)


def _set_byte(content: bytearray, other: bytes, chance: random.Random) -> None:
    content[_place(content, chance)] = chance.choice(_BYTES)


def _set_number(content: bytearray, other: bytes, chance: random.Random) -> None:
    size = chance.choice((2, 4, 4, 8))
    number = chance.choice(_NUMBERS) % 256**size
    place = _place(content, chance) // 2 * 2
    content[place : place + size] = number.to_bytes(size, chance.choice(("little", "big")))


def _change_number(content: bytearray, other: bytes, chance: random.Random) -> None:
    place, size = _place(content, chance), chance.choice((1, 2, 4))
    order: Literal["little", "big"] = "little" if chance.random() < 0.5 else "big"
    number = int.from_bytes(content[place : place + size], order) + chance.choice((-16, -1, 1, 16, 255))
    content[place : place + size] = (number % 256**size).to_bytes(size, order)


def _cut_end(content: bytearray, other: bytes, chance: random.Random) -> None:
    del content[_place(content, chance) :]


def _cut_out(content: bytearray, other: bytes, chance: random.Random) -> None:
    place = _place(content, chance)
    del content[place : place + chance.choice((1, 2, 4, 16, 200))]


def _repeat(content: bytearray, other: bytes, chance: random.Random) -> None:
    place = _place(content, chance)
    piece = content[place : place + chance.choice((1, 4, 12, 64, 300))]
    content[place:place] = piece * chance.choice((1, 2, 50))


def _zeros(content: bytearray, other: bytes, chance: random.Random) -> None:
    place = _place(content, chance)
    length = min(chance.choice((4, 16, 200)), len(content) - place)
    content[place : place + length] = bytes([chance.choice((0, 0xFF))]) * length


def _noise(content: bytearray, other: bytes, chance: random.Random) -> None:
    place = _place(content, chance)
    content[place : place + 8] = chance.randbytes(8)


def _piece_of_other(content: bytearray, other: bytes, chance: random.Random) -> None:
    start, place = chance.randrange(len(other) or 1), _place(content, chance)
    piece = other[start : start + chance.choice((4, 12, 100, 1000))]
    content[place : place + (len(piece) if chance.random() < 0.5 else 0)] = piece


def _change_marker(content: bytearray, other: bytes, chance: random.Random) -> None:
    """Change what follows a marker of JPEG or JPEG 2000."""
    if found := [match.start() for match in re.finditer(rb"\xff[\x01-\xfe]", content)]:
        place = chance.choice(found)
        content[place + 1 : place + 4] = chance.randbytes(3) if chance.random() < 0.5 else b"\xda\x00\x08"


_MUTATIONS: tuple[Callable[[bytearray, bytes, random.Random], None], ...] = (
    *(_flip_bit, _set_byte, _set_number, _set_number, _change_number, _cut_end, _cut_out, _repeat, _zeros, _noise),
    *(_piece_of_other, _change_marker),
)


def _correct_checksums(content: bytearray) -> None:
    """Correct the checksums of a PNG file, so that what a chunk says is believed."""
    place = len(_PNG)
    while place + 12 <= len(content):
        end = place + 8 + int.from_bytes(content[place : place + 4], "big")
        if end + 4 > len(content):
            return
        content[end : end + 4] = zlib.crc32(content[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
