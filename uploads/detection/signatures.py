"""Detects images, PDF and types that no processor reads, by their first bytes."""

import re

import puremagic

BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""Sizes of the header of each version of BMP."""
PDF_WITHIN = 1_024
PDF_HEADER = re.compile(rb"%PDF-\d")
PDF_OBJECT = re.compile(rb"\d\s+\d+\s+obj\b")
RAW_PHOTOS = (
    (re.compile(rb"II\*\0.{4}CR"), "image/x-canon-cr2"),
    (re.compile(rb"II(RO|RS)"), "image/x-olympus-orf"),
    (re.compile(rb"IIU\0"), "image/x-panasonic-rw2"),
    (re.compile(rb"FUJIFILMCCD-RAW "), "image/x-fuji-raf"),
)
IMAGES = (
    (b"\xff\xd8\xff\xf7", "image/jls"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0\x08", "image/tiff"),
    (b"MM\0+\0\x08", "image/tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjpx ", "image/jpx"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51\0", "image/jp2"),
)
OTHERS = (
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\0\1\0\0\0", "font/sfnt"),
    (b"OTTO\0", "font/otf"),
    (b"ttcf\0", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"8BPS\0", "image/vnd.adobe.photoshop"),
    (b"\0asm", "application/wasm"),
    (b"MThd", "audio/midi"),
    (b"\x1f\x9d", "application/x-compress"),
    (b"LZIP", "application/x-lzip"),
    (b"\xc7\x71", "application/x-cpio"),
    (b"ITSF\3\0\0\0", "application/vnd.ms-htmlhelp"),
    (b"\xd7\xcd\xc6\x9a\0\0", "image/wmf"),
    (b"qoif", "image/qoi"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
    (b"!BDN", "application/vnd.ms-outlook-pst"),
)
CHOSEN = re.compile(r"(application|font|image|model)/[\w.+-]+")
UNKNOWN = "application/octet-stream"
# Names of puremagic that are not the registered ones.
STANDARD_NAMES = {
    "application/x-gzip": "application/gzip",
    "application/x-rar-compressed": "application/vnd.rar",
    "image/jpeg2000": "image/jp2",
}
DETECTED = {
    *("application/zip", "application/pdf", "application/json"),
    *("image/svg+xml", "application/xhtml+xml"),
}
"""What has a check of its own, which said no."""
GUESSED_BYTES = 4
"""The shortest signature that puremagic is trusted with."""


def image_type(head: bytes) -> str | None:
    """Return the content type of an image that may be processed, or of a raw photo."""
    for pattern, content_type in RAW_PHOTOS:
        if pattern.match(head):
            return content_type
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/apng" if b"acTL" in head[: head.find(b"IDAT") + 1 or None] else "image/png"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "image/bmp"
    if head.startswith(b"\0\0\1\0") and _is_icon(head):
        return "image/x-icon"
    return next((content_type for magic, content_type in IMAGES if head.startswith(magic)), None)


def _is_icon(head: bytes) -> bool:
    """Return whether the list of pictures is plausible: its start is that of other files, too."""
    count = int.from_bytes(head[4:6], "little")
    return 0 < count < 256 and head[9:10] in {b"\0", b"\xff"} and head[11:12] == b"\0"


def find_pdf(head: bytes) -> bool:
    """Return whether a PDF begins within the first 1,024 bytes, as its readers look for it."""
    found = PDF_HEADER.search(head[: PDF_WITHIN + 8])
    return bool(found and (found.start() == 0 or PDF_OBJECT.search(head, found.end())))


def other_type(head: bytes) -> str:
    """Return the content type of anything else; `application/octet-stream` if it is unknown."""
    for magic, content_type in OTHERS:
        if head.startswith(magic):
            return content_type
    if _is_tar(head):
        return "application/x-tar"
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    for match in found:
        name = str(STANDARD_NAMES.get(match.mime_type, match.mime_type))
        is_trusted = len(match.byte_match) >= GUESSED_BYTES and CHOSEN.fullmatch(name)
        if is_trusted and name not in DETECTED:
            return name
    return UNKNOWN


def _is_tar(head: bytes) -> bool:
    """Return whether the first block has the checksum that a tar file's has."""
    block = head[:512]
    digits = block[148:156].strip(b" \0")
    if len(block) < 512 or not re.fullmatch(rb"[0-7]{1,7}", digits):
        return False
    return int(digits, 8) == sum(block) - sum(block[148:156]) + 8 * 32
