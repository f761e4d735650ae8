"""ZIP archives: their directory. Nothing is extracted."""

import re
import struct
import zlib
from contextlib import suppress
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from uploads.detection.names import CP437, zip_names_encoding
from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _

MAX_ENTRIES = 100_000
NAMES_SHOWN = 20
CHECKED_BYTES = 32 * 1024**2
"""Unpacked bytes whose checksums are compared."""
ENCRYPTED = 1
UTF_8 = 0x800
"""The flag of a name in UTF-8."""
UNICODE_NAME = 0x7075
"""The field with the same name in UTF-8."""
MAX_NAME_BYTES = 64 * 1024
UNSAFE_NAME = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")


def process(path: Path, content_type: str) -> Result:
    with errors_as(_("The archive is broken.")), ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise Unprocessable(_("The archive has more than %(max)d entries."), max=MAX_ENTRIES)
        _check_sums(archive, entries)
        names = _readable_names(entries)
        return Result(
            {
                "entries": len(entries),
                "uncompressed_size": sum(entry.file_size for entry in entries),
                "compressed_size": sum(entry.compress_size for entry in entries),
                "names": names[:NAMES_SHOWN],
                "unsafe_names": sum(bool(UNSAFE_NAME.search(name)) for name in names),
                "encrypted": any(entry.flag_bits & ENCRYPTED for entry in entries),
            }
        )


def _readable_names(entries: list[ZipInfo]) -> list[str]:
    """Return the names, in the encoding of the system that packed them.

    A flag says that a name is in UTF-8, or a field has it in UTF-8 beside the other. Else ZIP
    means cp437, and programs write what their system has: all names tell which, together.
    """
    raw = b"\n".join(dict.fromkeys(filter(None, map(_raw_name, entries))))[:MAX_NAME_BYTES]
    encoding = zip_names_encoding(raw) if raw else CP437
    return [_name(entry, encoding) for entry in entries]


def _raw_name(entry: ZipInfo) -> bytes | None:
    """Return the bytes of a name in an unknown encoding; None if it is known or ASCII."""
    if entry.flag_bits & UTF_8 or entry.orig_filename.isascii():
        return None
    return entry.orig_filename.encode(CP437)


def _name(entry: ZipInfo, encoding: str) -> str:
    field = entry.extra
    while len(field) >= 4:
        kind, size = struct.unpack("<HH", field[:4])
        if kind == UNICODE_NAME:
            with suppress(UnicodeDecodeError):
                return field[9 : 4 + size].decode()
        field = field[4 + size :]
    raw = _raw_name(entry)
    return entry.filename if raw is None else raw.decode(encoding, "replace")


def _check_sums(archive: ZipFile, entries: list[ZipInfo]) -> None:
    """Raise Unprocessable if one of the first `CHECKED_BYTES` has a wrong checksum."""
    left = CHECKED_BYTES
    for entry in entries:
        if entry.flag_bits & ENCRYPTED or left <= 0:
            continue
        try:
            with archive.open(entry) as content:
                while left > 0 and (chunk := content.read(min(left, 1024**2))):
                    left -= len(chunk)
        except NotImplementedError:
            continue  # unknown compression
        except (BadZipFile, zlib.error, LZMAError, EOFError) as error:
            raise Unprocessable(_("The archive is broken.")) from error
