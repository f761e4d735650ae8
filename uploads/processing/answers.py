"""Reads what a child answers. A malicious file may have written it: nothing of it is believed."""

import json
import logging
import re
import struct
from base64 import b64decode
from typing import Any

from django.utils.translation import gettext as _

from uploads.processors.base import Result, Unprocessable, clean, clean_text
from uploads.processors.thumbnails import MAX_SIDE

logger = logging.getLogger(__name__)

PLACEHOLDER = re.compile(r"%(?:\((\w+)\)[ds]|%)")
"""No others: a width in one could ask for any amount of memory."""
MAX_THUMBNAIL_BYTES = 512 * 1024
LOSSY, LOSSLESS = b"VP8 ", b"VP8L"
EXTENDED, ALPHA = b"VP8X", b"ALPH"
ONLY_ALPHA = 0x10
"""The flags of an image without animation, colour profile, EXIF and XMP."""


class Interrupted(Exception):
    """The child ended, and not because of the file: the file can be processed again."""


def interrupted(why: str) -> Interrupted:
    """Return the error, and log why."""
    logger.warning("The child process gave no result: %s", why)
    return Interrupted(_("Processing was interrupted."))


def failed(why: str) -> Unprocessable:
    """Return the error of a file that makes its processor fail, and log why."""
    logger.warning("A file made its processor fail: %s", clean_text(why))
    return Unprocessable(_("The file makes its processor fail."))


def read_answer(response: bytes) -> Result:
    """Return the result in the response. Raises Unprocessable, translated, or Interrupted."""
    try:
        answer = json.loads(response)
        if "reason" in answer:
            raise Unprocessable(_reason(answer["reason"], answer["values"]))
        if "interrupted" in answer:
            raise interrupted(clean_text(answer["interrupted"]))
        if "failed" in answer:
            raise failed(answer["failed"])
        return Result(metadata=_metadata(answer["metadata"]), thumbnail=_thumbnail(answer))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise failed(f"its response is invalid: {error!r}") from error


def _reason(text: Any, values: dict[str, Any]) -> str:
    """Return the reason, translated, with its values."""
    if not clean_text(text):
        raise ValueError("an empty reason")  # its translation is the head of the catalogue

    def value(found: re.Match[str]) -> str:
        value = values[found[1]] if found[1] else "%"
        if not isinstance(value, str | int):
            raise TypeError("a value is neither text nor a number")
        return str(clean(value))

    return clean_text(PLACEHOLDER.sub(value, _(clean_text(text))))


def _metadata(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise TypeError("metadata is no object")
    cleaned: dict[str, Any] = clean(metadata)
    return cleaned


def _thumbnail(answer: dict[str, Any]) -> bytes | None:
    """Return the thumbnail. Raises ValueError if it is no small, plain WebP."""
    if answer["thumbnail"] is None:
        return None
    image = b64decode(answer["thumbnail"], validate=True)
    if len(image) > MAX_THUMBNAIL_BYTES or max(webp_size(image)) > MAX_SIDE:
        raise ValueError("the thumbnail is too large")
    return image


def webp_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a WebP that is one still image, and nothing beside it.

    Raises ValueError if it is anything else. It decodes nothing.
    """
    chunks = _chunks(image)
    names = [name for name, _content in chunks]
    if names not in ([LOSSY], [LOSSLESS], [EXTENDED, LOSSLESS], [EXTENDED, ALPHA, LOSSY]):
        raise ValueError(f"no plain WebP: {names[:4]}")
    sizes = {SIZE_OF[name](content) for name, content in chunks if name != ALPHA}
    if len(sizes) > 1:
        raise ValueError("a WebP of two sizes")
    return sizes.pop()


def _chunks(image: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and content of each chunk of a RIFF file, which must end with the last one."""
    if image[:4] != b"RIFF" or image[8:12] != b"WEBP" or len(image) != _number(image[4:8]) + 8:
        raise ValueError("no WebP")
    chunks = []
    start = 12
    while start < len(image):
        end = start + 8 + _number(image[start + 4 : start + 8])
        chunks.append((image[start : start + 4], image[start + 8 : end]))
        start = end + end % 2
    if start != len(image):
        raise ValueError("a WebP that is cut")
    return chunks


def _number(field: bytes) -> int:
    return int.from_bytes(field, "little")


def _extended_size(content: bytes) -> tuple[int, int]:
    if len(content) != 10 or content[0] & ~ONLY_ALPHA or any(content[1:4]):
        raise ValueError("a WebP with more than an image")
    return _number(content[4:7]) + 1, _number(content[7:10]) + 1


def _lossy_size(content: bytes) -> tuple[int, int]:
    if content[3:6] != b"\x9d\x01\x2a" or len(content) < 10:
        raise ValueError("no key frame of VP8")
    width, height = struct.unpack("<HH", content[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(content: bytes) -> tuple[int, int]:
    if content[:1] != b"\x2f" or len(content) < 5:
        raise ValueError("no VP8L")
    bits = _number(content[1:5])
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


SIZE_OF = {EXTENDED: _extended_size, LOSSY: _lossy_size, LOSSLESS: _lossless_size}
