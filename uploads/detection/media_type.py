"""Detects the content type and kind of a file from its first bytes."""

import re
from dataclasses import dataclass
from pathlib import PurePath

import filetype
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException

from uploads.detection.encoding import decode_head
from uploads.detection.markup import markup_type
from uploads.detection.tables import looks_like_csv, looks_like_json
from uploads.models import Kind

HEAD_BYTES = 64 * 1024  # enough to detect the type

IMAGES = frozenset(
    f"image/{name}"
    for name in ("png", "apng", "jpeg", "gif", "webp", "bmp", "tiff", "avif", "x-icon", "jpx")
)
SAFE_TO_SHOW = frozenset(
    {
        *(IMAGES - {"image/tiff", "image/jpx"}),  # browsers do not show these
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
    "executable": frozenset({SCRIPT, *(content_type for _magic, content_type in EXECUTABLES)}),
    "html": frozenset({"text/html", "application/xhtml+xml"}),
    "svg": frozenset({"image/svg+xml"}),
}
"""The types behind each value of `UPLOADS_REFUSED`."""

# Standard names for those that `filetype` uses.
STANDARD_NAMES = {
    "audio/x-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "video/x-m4v": "video/mp4",
    "application/x-rar-compressed": "application/vnd.rar",
}
TEXT_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
)
OGG_VIDEO = re.compile(rb"\x80theora|OVP80|BBCD\0|\x01video\0")
MATROSKA_AUDIO = re.compile(rb"\x86[\x81-\xbf]A_")  # element CodecID, length, value
MATROSKA_VIDEO = re.compile(rb"\x86[\x81-\xbf]V_")
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


def detect(head: bytes, name: str) -> Detected:
    """Return the type of a file. Raises TypeRefused.

    head: its first `HEAD_BYTES`, or the whole file. name: only tells types of text apart.
    """
    suffix = PurePath(name).suffix.lower()
    content_type = _content_type(head, suffix)
    for refused in settings.UPLOADS_REFUSED:
        if content_type in REFUSABLE_TYPES[refused]:
            raise TypeRefused(
                _("Files of the type %(type)s are not allowed.") % {"type": content_type}
            )
    return Detected(_kind(content_type), content_type)


def _content_type(head: bytes, suffix: str) -> str:
    for magic, content_type in TEXT_SIGNATURES:
        if head.startswith(magic):
            return content_type
    # Before binary signatures: words can begin with "BM" or "MZ", too.
    if (text := decode_head(head)) is not None:
        return _text_type(text, suffix, whole=len(head) < HEAD_BYTES) if text else _binary_type(b"")
    return _binary_type(head)


def _text_type(text: str, suffix: str, *, whole: bool) -> str:
    if text.startswith("#!"):
        return SCRIPT
    if markup := markup_type(text, suffix):
        return markup
    if looks_like_json(text, whole=whole, named=suffix == ".json"):
        return "application/json"
    if suffix in {".csv", ".tsv", ".tab"}:
        return "text/csv" if suffix == ".csv" else "text/tab-separated-values"
    if suffix not in NEVER_CSV and looks_like_csv(text, whole=whole):
        return "text/csv"
    return TEXT_TYPES.get(suffix, "text/plain")


def _binary_type(head: bytes) -> str:
    for magic, content_type in EXECUTABLES:
        if head.startswith(magic):
            return content_type
    found = filetype.guess(head) if head else None
    content_type = (
        STANDARD_NAMES.get(found.mime, found.mime) if found else "application/octet-stream"
    )
    return _by_streams(content_type, head)


def _by_streams(content_type: str, head: bytes) -> str:
    """Return audio or video for a container, depending on its streams, which `filetype` ignores.

    An MP4 that lists its streams at its end is always video.
    """
    if content_type == "audio/ogg" and OGG_VIDEO.search(head[:4096]):
        return "video/ogg"
    if content_type in {"video/webm", "video/x-matroska"}:
        is_audio = MATROSKA_AUDIO.search(head) and not MATROSKA_VIDEO.search(head)
    else:
        is_audio = content_type == "video/mp4" and b"soun" in head and b"vide" not in head
    return content_type.replace("video/", "audio/") if is_audio else content_type


def _kind(content_type: str) -> Kind:
    if content_type in IMAGES:
        return Kind.IMAGE
    if content_type in {"text/csv", "text/tab-separated-values", "application/json"}:
        return Kind.TABLE
    if content_type == "application/pdf":
        return Kind.PDF
    if content_type == "application/zip":
        return Kind.ARCHIVE
    family = content_type.partition("/")[0]
    return Kind(family) if family in {Kind.AUDIO, Kind.VIDEO, Kind.TEXT} else Kind.OTHER
