"""Zip files of strangers: how much their directory holds is known before it is read into memory."""

import os
import struct
import zipfile
import zlib
from typing import BinaryIO

MAX_ENTRY_BYTES = 1000
"""Largest size of a member's entry in the directory of a zip file, on average; the directory is read at once."""

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, struct.error)
"""What the readers of zip files raise on damaged ones, beside ``OSError``."""


class TooManyMembersError(Exception):
    """A zip file has more members than are read; ``count`` is their number."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count:,} members")
        self.count = count


def check_member_count(opened: BinaryIO, most: int) -> None:
    """Check, by the last bytes of a zip file, that its directory fits into memory.

    Args:
        opened: the file.
        most: largest number of members.

    Raises:
        TooManyMembersError: it has more.
        zipfile.BadZipFile: it has no directory.
    """
    count, size = _directory(opened)
    if count > most or size > most * MAX_ENTRY_BYTES:
        raise TooManyMembersError(count)


def _directory(opened: BinaryIO) -> tuple[int, int]:
    """Return the number of members of a zip file and the size of its directory, as its last bytes state them.

    It is looked for where ``zipfile`` looks (APPNOTE.TXT 4.3.14 to 4.3.16).
    """
    size = opened.seek(0, os.SEEK_END)
    length = min(size, 22 + 65_536)
    opened.seek(size - length)
    end = opened.read(length)
    place = length - 22 if end[-22:-18] == b"PK\5\6" and end.endswith(b"\0\0") else end.rfind(b"PK\5\6")
    if place < 0:
        raise zipfile.BadZipFile("it has no directory")
    count, directory_size = struct.unpack_from("<HL", end, place + 10)
    locator = size - length + place - 20
    if locator >= 0:
        opened.seek(locator)
        signature, _, _, _ = struct.unpack("<4sLQL", opened.read(20))
        if signature == b"PK\6\7" and locator >= 56:
            opened.seek(locator - 56)  # where zipfile expects the ZIP64 record
            record = opened.read(56)
            if record[:4] == b"PK\6\6":
                count, directory_size = struct.unpack_from("<QQ", record, 32)
    return count, directory_size
