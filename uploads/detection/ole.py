"""Reads which streams and storages are at the top of an OLE file (MS-CFB), and nothing else.

A library reads the whole directory first: of a hostile file that takes minutes of a web server.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

MAX_ENTRIES = 2_000
"""Entries that are looked at. Documents have a few dozens at the top."""
END = 0xFFFFFFFA
"""Numbers of sectors and entries are below it."""
TABLES_IN_HEADER = 109


class Directory:
    """The directory of an OLE file, read entry by entry."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        header = self._read(0, 512).ljust(512, b"\0")
        self.size = 1 << min(max(struct.unpack("<H", header[30:32])[0], 7), 16)
        self.tables = struct.unpack("<109I", header[76:512])
        self.sectors = [struct.unpack("<I", header[48:52])[0]]

    def root_class(self) -> bytes:
        """Return the class of the root."""
        return self._entry(0)[80:96]

    def top_names(self) -> Iterator[str]:
        """Yield the names of what is at the top."""
        to_see = [_numbers(self._entry(0))[2]]
        seen = set[int]()
        while to_see and len(seen) < MAX_ENTRIES:
            number = to_see.pop()
            if number >= END or number in seen:
                continue
            seen.add(number)
            entry = self._entry(number)
            left, right, _child = _numbers(entry)
            to_see += [left, right]
            length = struct.unpack("<H", entry[64:66])[0]
            yield entry[: min(max(length - 2, 0), 64)].decode("utf-16-le", "replace")

    def _entry(self, number: int) -> bytes:
        sector, offset = divmod(number * 128, self.size)
        while len(self.sectors) <= min(sector, MAX_ENTRIES) and self.sectors[-1] < END:
            self.sectors.append(self._next_sector(self.sectors[-1]))
        if sector >= len(self.sectors) or self.sectors[sector] >= END:
            return bytes(128)
        return self._read((self.sectors[sector] + 1) * self.size + offset, 128).ljust(128, b"\0")

    def _next_sector(self, sector: int) -> int:
        table, number = divmod(sector, self.size // 4)
        if table >= TABLES_IN_HEADER or self.tables[table] >= END:
            return END
        place = (self.tables[table] + 1) * self.size + number * 4
        return int.from_bytes(self._read(place, 4).ljust(4, b"\xff"), "little")

    def _read(self, place: int, size: int) -> bytes:
        self.file.seek(place)
        return self.file.read(size)


def _numbers(entry: bytes) -> tuple[int, int, int]:
    """Return the numbers of the entries to the left, to the right, and of the first one inside."""
    left, right, child = struct.unpack("<III", entry[68:80])
    return left, right, child
