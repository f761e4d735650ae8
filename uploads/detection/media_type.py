"""Detects the content type and kind of a file from its content."""

import io
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException

from uploads.detection.documents import MSI, OLE_MAGIC, ZIP_MAGIC, ole_type, zip_type
from uploads.detection.encoding import decode_damaged, decode_head
from uploads.detection.markup import LEADING, hidden_markup, is_active_html, markup_type
from uploads.detection.recordings import recording_type
from uploads.detection.signatures import UNKNOWN, find_pdf, image_type, other_type
from uploads.detection.tables import looks_like_csv, looks_like_json
from uploads.models import Kind

HEAD_BYTES = 64 * 1024  # enough to refuse most files before the rest arrives
MARKUP_BYTES = 1024**2  # of what looks like XML, which may begin with a long comment
PADDING = LEADING.encode("utf-8") + b"\v\x1a\xff\xfe"

IMAGES = frozenset(
    f"image/{name}"
    for name in (
        "png",
        "apng",
        "jpeg",
        "gif",
        "webp",
        "bmp",
        "tiff",
        "avif",
        "x-icon",
        "jp2",
        "jpx",
    )
)
SAFE_TO_SHOW = frozenset(
    {
        *(IMAGES - {"image/tiff", "image/jp2", "image/jpx"}),  # browsers do not show these
        *("audio/mpeg", "audio/mp4", "audio/ogg", "audio/webm", "audio/wav", "audio/flac"),
        *("audio/aac", "video/mp4", "video/webm", "video/ogg", "text/plain"),
    }
)
"""Types that browsers may show in the service's own origin, with nosniff: none can run scripts.

PDF can: its viewer runs its forms and scripts.
"""

# Files that operating systems execute, by their first bytes.
EXECUTABLES = (
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-msdownload"),
    (b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    *((magic, "application/x-mach-binary") for magic in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")),
    *((magic, "application/x-mach-binary") for magic in (b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce")),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),  # also universal Mach-O
    (b"dex\n", "application/vnd.android.dex"),
)
SCRIPT = "text/x-script"
REFUSABLE_TYPES = {
    "executable": frozenset({SCRIPT, MSI, *(content_type for _magic, content_type in EXECUTABLES)}),
    "html": frozenset({"text/html", "application/xhtml+xml"}),
    "svg": frozenset({"image/svg+xml"}),
}
"""The types behind each value of `UPLOADS_REFUSED`."""

ARCHIVES = frozenset(
    {"application/zip", "application/java-archive", "application/vnd.android.package-archive"}
)
TABLES = frozenset({"text/csv", "text/tab-separated-values", "application/json"})
OTHERS = frozenset({"audio/midi"})
"""What no processor reads, though its family has one."""
TEXT_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"!<arch>\ndebian", "application/vnd.debian.binary-package"),
    (b"!<arch>\n", "application/x-archive"),
    (b"070701", "application/x-cpio"),
    (b"070707", "application/x-cpio"),
)
TEXT_TYPES = {".md": "text/markdown", ".markdown": "text/markdown", ".css": "text/css"}
NEVER_CSV = frozenset({".txt", ".log", ".rst", ".py", ".js", ".css", ".md", ".srt", ".vtt", ".ini"})


class TypeRefused(APIException):
    """Files of this type are not allowed."""

    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "type_refused"


@dataclass(frozen=True)
class Detected:
    kind: Kind
    content_type: str


def detect(file: BinaryIO, name: str) -> Detected:
    """Return the type of a file. Raises TypeRefused.

    file: the whole file, read at any place. name: only tells types of text apart.
    """
    suffix = PurePath(name).suffix.lower()
    content_type = _content_type(file, suffix)
    for refused in settings.UPLOADS_REFUSED:
        if content_type in REFUSABLE_TYPES[refused]:
            raise TypeRefused(
                _("Files of the type %(type)s are not allowed.") % {"type": content_type}
            )
    return Detected(_kind(content_type), content_type)


def refuse_early(head: bytes, name: str) -> None:
    """Raise TypeRefused if the first bytes of a file tell that it will be."""
    if head.strip(PADDING):
        detect(io.BytesIO(head), name)


def _content_type(file: BinaryIO, suffix: str) -> str:
    file.seek(0)
    head = _skip_padding(file)
    for magic, content_type in TEXT_SIGNATURES:
        if head.startswith(magic):
            return content_type
    # Before binary signatures: words can begin with "BM" or "MZ", too.
    if (text := decode_head(head)) is not None:
        return _text_type(file, head, text, suffix) if text else other_type(b"")
    return _binary_type(file, head, suffix)


def _skip_padding(file: BinaryIO) -> bytes:
    """Return the first bytes of the file, or those where it begins after more padding than that."""
    head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES or head.strip(PADDING):
        return head
    while chunk := file.read(HEAD_BYTES):
        if rest := chunk.lstrip(PADDING):
            start = file.tell() - len(rest)
            file.seek(start - start % 4)  # whole characters, also of UTF-16 and UTF-32
            mark = head[: len(head) - len(head.lstrip(b"\xef\xbb\xbf\xff\xfe"))]
            return mark + file.read(HEAD_BYTES)
    return head


def _text_type(file: BinaryIO, head: bytes, text: str, suffix: str) -> str:
    if text.startswith("#!"):
        return SCRIPT
    whole = len(head) < HEAD_BYTES
    if text.lstrip(LEADING).startswith("<") and not whole:
        markup = markup_type(_decode_more(file) or text, suffix)
    else:
        markup = markup_type(text, suffix)
    if markup:
        return markup
    if find_pdf(head):
        return "application/pdf"
    if looks_like_json(text, whole=whole, named=suffix == ".json"):
        return "application/json"
    if suffix in {".csv", ".tsv", ".tab"}:
        return "text/csv" if suffix == ".csv" else "text/tab-separated-values"
    if suffix not in NEVER_CSV and looks_like_csv(text, whole=whole):
        return "text/csv"
    return TEXT_TYPES.get(suffix, "text/plain")


def _decode_more(file: BinaryIO) -> str | None:
    file.seek(0)
    return decode_head(file.read(MARKUP_BYTES))


def _binary_type(file: BinaryIO, head: bytes, suffix: str) -> str:
    for magic, content_type in EXECUTABLES:
        if head.startswith(magic):
            return content_type
    if found := hidden_markup(head) or _known_type(file, head):
        return found
    if is_active_html(head, suffix):
        return "text/html"
    content_type = other_type(head)
    if content_type == UNKNOWN and (text := decode_damaged(head)):
        return _text_type(file, head, text, suffix)
    return content_type


def _known_type(file: BinaryIO, head: bytes) -> str | None:
    """Return the type of what a processor reads, or of office documents."""
    if head.startswith(ZIP_MAGIC):
        return zip_type(file)
    if head.startswith(OLE_MAGIC):
        return ole_type(file)
    found = image_type(head) or recording_type(file, head)
    return found or ("application/pdf" if find_pdf(head) else None)


def _kind(content_type: str) -> Kind:
    if content_type in IMAGES:
        return Kind.IMAGE
    if content_type in TABLES:
        return Kind.TABLE
    if content_type == "application/pdf":
        return Kind.PDF
    if content_type in ARCHIVES:
        return Kind.ARCHIVE
    if content_type == "application/mxf":
        return Kind.VIDEO
    family = content_type.partition("/")[0] if content_type not in OTHERS else ""
    return Kind(family) if family in {Kind.AUDIO, Kind.VIDEO, Kind.TEXT} else Kind.OTHER
