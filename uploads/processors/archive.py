"""ZIP archives: their directory. Nothing is extracted."""

import re
import zlib
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _

MAX_ENTRIES = 100_000
NAMES_SHOWN = 20
CHECKED_BYTES = 32 * 1024**2
"""Unpacked bytes whose checksums are compared."""
ENCRYPTED = 1
UNSAFE_NAME = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")


def process(path: Path, content_type: str) -> Result:
    with errors_as(_("The archive is broken.")), ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise Unprocessable(_("The archive has more than %(max)d entries."), max=MAX_ENTRIES)
        _check_sums(archive, entries)
        return Result(
            {
                "entries": len(entries),
                "uncompressed_size": sum(entry.file_size for entry in entries),
                "compressed_size": sum(entry.compress_size for entry in entries),
                "names": [entry.filename for entry in entries[:NAMES_SHOWN]],
                "unsafe_names": sum(bool(UNSAFE_NAME.search(entry.filename)) for entry in entries),
                "encrypted": any(entry.flag_bits & ENCRYPTED for entry in entries),
            }
        )


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
