"""ZIP archives: what their directory says. Nothing is ever extracted."""

import re
import zlib
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from uploads.processors.base import Result, Unprocessable, blaming
from uploads.processors.base import gettext_noop as _

MOST_ENTRIES = 100_000
NAMES = 20
CHECKED_BYTES = 32 * 1024**2
"""So much of the contents, unpacked, is compared with its check sums, and thrown away."""
ENCRYPTED = 1
OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")


def process(path: Path, content_type: str) -> Result:
    with blaming(_("The archive is broken.")), ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise Unprocessable(_("The archive has more than %(most)d entries."), most=MOST_ENTRIES)
        _check(archive, entries)
        return Result(
            {
                "entries": len(entries),
                "uncompressed_size": sum(entry.file_size for entry in entries),
                "compressed_size": sum(entry.compress_size for entry in entries),
                "names": [entry.filename for entry in entries[:NAMES]],
                "unsafe_names": sum(bool(OUTSIDE.search(entry.filename)) for entry in entries),
                "encrypted": any(entry.flag_bits & ENCRYPTED for entry in entries),
            }
        )


def _check(archive: ZipFile, entries: list[ZipInfo]) -> None:
    """Raise Unprocessable if one of the first contents is not what it was when it was packed."""
    left = CHECKED_BYTES
    for entry in entries:
        if entry.flag_bits & ENCRYPTED or left <= 0:
            continue
        try:
            with archive.open(entry) as content:
                while left > 0 and (chunk := content.read(min(left, 1024**2))):
                    left -= len(chunk)
        except NotImplementedError:
            continue  # packed in a way that is unknown here
        except (BadZipFile, zlib.error, LZMAError, EOFError) as error:
            raise Unprocessable(_("The archive is broken.")) from error
