"""Tells what a file is by how it begins, whatever its client called it."""

import re
from dataclasses import dataclass
from pathlib import PurePath

import filetype
from django.conf import settings
from django.utils.translation import gettext as _

from uploads.detection.encoding import text_of
from uploads.detection.markup import markup_type
from uploads.detection.tables import looks_like_csv, looks_like_json
from uploads.models import Kind

HEAD_BYTES = 64 * 1024
"""So much of a file is needed to tell what it is."""

IMAGES = frozenset(
    f"image/{name}"
    for name in ("png", "apng", "jpeg", "gif", "webp", "bmp", "tiff", "avif", "x-icon", "jpx")
)
SAFE_TO_SHOW = frozenset(
    {
        *(IMAGES - {"image/tiff", "image/jpx"}),  # those no browser shows
        *("audio/mpeg", "audio/mp4", "audio/ogg", "audio/webm", "audio/wav", "audio/flac"),
        *("audio/aac", "video/mp4", "video/webm", "video/ogg", "text/plain"),
    }
)
"""What a browser may show in the service's own origin, with nosniff: nothing that runs scripts.

PDF is not among them: its forms and scripts run in whatever shows it.
"""

# What operating systems start by themselves.
EXECUTABLES = (
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-msdownload"),
    (b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    *((magic, "application/x-mach-binary") for magic in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")),
    *((magic, "application/x-mach-binary") for magic in (b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce")),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),  # and Mach-O for several processors
    (b"dex\n", "application/vnd.android.dex"),
)
SCRIPT = "text/x-script"
REFUSABLE = {
    "executable": frozenset({SCRIPT, *(content_type for _magic, content_type in EXECUTABLES)}),
    "html": frozenset({"text/html", "application/xhtml+xml"}),
    "svg": frozenset({"image/svg+xml"}),
}
"""What `UPLOADS_REFUSED` can name."""

# Of the names `filetype` has: those that the world has agreed on meanwhile.
NAMED = {
    "audio/x-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "video/x-m4v": "video/mp4",
    "application/x-rar-compressed": "application/vnd.rar",
}
PRINTABLE = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
)
OGG_PICTURES = re.compile(rb"\x80theora|OVP80|BBCD\0|\x01video\0")
MATROSKA_SOUND = re.compile(rb"\x86[\x81-\xbf]A_")  # the element CodecID, its length, its value
MATROSKA_PICTURES = re.compile(rb"\x86[\x81-\xbf]V_")
TEXTS = {".md": "text/markdown", ".markdown": "text/markdown", ".css": "text/css"}
NO_TABLES = frozenset({".txt", ".log", ".rst", ".py", ".js", ".css", ".md", ".srt", ".vtt", ".ini"})


class Refused(Exception):
    """Files of this type are not taken; the message says so, to a person."""


@dataclass(frozen=True)
class Detected:
    kind: Kind
    content_type: str


def detect(head: bytes, name: str) -> Detected:
    """Return what a file is that begins with `head` (`HEAD_BYTES` of it, or all).

    `name` tells the kinds of text apart, and nothing else. Raises Refused.
    """
    suffix = PurePath(name).suffix.lower()
    content_type = _content_type(head, suffix)
    for refused in settings.UPLOADS_REFUSED:
        if content_type in REFUSABLE[refused]:
            raise Refused(_("Files of the type %(type)s are not taken.") % {"type": content_type})
    return Detected(_kind(content_type), content_type)


def _content_type(head: bytes, suffix: str) -> str:
    for magic, content_type in PRINTABLE:
        if head.startswith(magic):
            return content_type
    # Before the bytes that begin other files: "BM" and "MZ" begin words, too.
    if (text := text_of(head)) is not None:
        return _text_type(text, suffix, whole=len(head) < HEAD_BYTES) if text else _binary(b"")
    return _binary(head)


def _text_type(text: str, suffix: str, *, whole: bool) -> str:
    if text.startswith("#!"):
        return SCRIPT
    if markup := markup_type(text, suffix):
        return markup
    if looks_like_json(text, whole=whole, named=suffix == ".json"):
        return "application/json"
    if suffix in {".csv", ".tsv", ".tab"}:
        return "text/csv" if suffix == ".csv" else "text/tab-separated-values"
    if suffix not in NO_TABLES and looks_like_csv(text, whole=whole):
        return "text/csv"
    return TEXTS.get(suffix, "text/plain")


def _binary(head: bytes) -> str:
    for magic, content_type in EXECUTABLES:
        if head.startswith(magic):
            return content_type
    found = filetype.guess(head) if head else None
    content_type = NAMED.get(found.mime, found.mime) if found else "application/octet-stream"
    return _by_streams(content_type, head)


def _by_streams(content_type: str, head: bytes) -> str:
    """Return the type of a container by the streams in it: `filetype` looks only at its name.

    An MP4 that tells of its streams at its end is taken for a film, whatever is in it.
    """
    if content_type == "audio/ogg" and OGG_PICTURES.search(head[:4096]):
        return "video/ogg"
    if content_type in {"video/webm", "video/x-matroska"}:
        only_sound = MATROSKA_SOUND.search(head) and not MATROSKA_PICTURES.search(head)
    else:
        only_sound = content_type == "video/mp4" and b"soun" in head and b"vide" not in head
    return content_type.replace("video/", "audio/") if only_sound else content_type


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
