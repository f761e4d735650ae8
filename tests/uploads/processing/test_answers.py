"""What a child answers is not believed: it may be what a malicious file made of it."""

import io
import json
from base64 import b64encode
from typing import Any

import pytest
from django.utils import translation
from PIL import Image

from uploads.processing.answers import Interrupted, read_answer, webp_size
from uploads.processors.base import Unprocessable
from uploads.processors.thumbnails import make_thumbnail

FAILS = "The file makes its processor fail"


def answer(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def with_thumbnail(image: bytes) -> bytes:
    return answer(metadata={}, thumbnail=b64encode(image).decode())


def webp(size: tuple[int, int] = (8, 6), mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, "WEBP", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"what?",
        b"\xff\xfe",
        b"null",
        b"7",
        b'"reason"',
        b"[]",
        b'["reason"]',
        b"{}",
        b"[" * 100_000,
        b"1" * 10_000,
        answer(metadata={}),
        answer(metadata=[["a", 1]], thumbnail=None),
        answer(metadata=7, thumbnail=None),
        answer(metadata={}, thumbnail=7),
        answer(metadata={}, thumbnail="?"),
        answer(metadata={}, thumbnail=["UklGRg=="]),
        answer(reason="The image is broken."),
        answer(reason=7, values={}),
        answer(reason="", values={}),
        answer(reason="\0", values={}),
        answer(reason="%(max)d", values={}),
        answer(reason="%(max)d", values=[7]),
        answer(reason="%(max)d", values={"max": {"a": 1}}),
        answer(interrupted=7),
        answer(failed=7),
        answer(failed="Traceback"),
    ],
    ids=lambda response: response[:30].decode("latin-1"),
)
def test_what_is_no_answer_is_a_failed_file(response: bytes) -> None:
    with pytest.raises(Unprocessable, match=FAILS):
        read_answer(response)


def test_a_reason_is_translated_and_has_its_values() -> None:
    reason = answer(reason="Invalid JSON: %(name)s is not allowed.", values={"name": "NaN"})

    with pytest.raises(Unprocessable, match=r"^Invalid JSON: NaN is not allowed\.$"):
        read_answer(reason)
    with translation.override("ru"), pytest.raises(Unprocessable, match=r"JSON.*NaN") as russian:
        read_answer(reason)
    assert "not allowed" not in str(russian.value)


def test_a_reason_cannot_ask_for_memory() -> None:
    with pytest.raises(Unprocessable) as raised:
        read_answer(answer(reason="%(a)999999999d %(a)*d 100%% %(a)s", values={"a": 7}))

    assert str(raised.value) == "%(a)999999999d %(a)*d 100% 7"


def test_a_reason_is_short_and_can_be_stored() -> None:
    with pytest.raises(Unprocessable) as raised:
        read_answer(answer(reason="a\0\ud800" + "%(a)s" * 100, values={"a": "x" * 5_000}))

    assert len(str(raised.value)) == 1_000
    assert str(raised.value).startswith("a\ufffdxx")


def test_an_interruption_is_one() -> None:
    with pytest.raises(Interrupted):
        read_answer(answer(interrupted="Traceback"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16", "CMYK"])
def test_every_thumbnail_that_is_made_is_taken(mode: str) -> None:
    image = make_thumbnail(Image.new(mode, (700, 500)))

    assert read_answer(with_thumbnail(image)).thumbnail == image
    assert webp_size(image) == (320, 229)


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_plain_image_is_taken(mode: str, options: dict[str, Any]) -> None:
    assert webp_size(webp((317, 5), mode, **options)) == (317, 5)


def extended_with(size: tuple[int, int]) -> bytes:
    """Return an image with transparency whose first header has another size."""
    image = bytearray(webp((8, 6), "RGBA"))
    image[24:30] = (size[0] - 1).to_bytes(3, "little") + (size[1] - 1).to_bytes(3, "little")
    return bytes(image)


def animation() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


OTHER = {
    "nothing": b"",
    "HTML": b"<script>alert(1)</script>",
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "another RIFF": webp().replace(b"WEBP", b"WAVE"),
    "cut": webp()[:-2],
    "longer": webp() + b"<script>",
    "lies about its length": webp()[:4] + b"\xff\xff\xff\x7f" + webp()[8:],
    "lies about a chunk": webp()[:16] + b"\xff\xff\xff\x7f" + webp()[20:],
    "too wide": webp((321, 5)),
    "too high, lossless": webp((5, 321), lossless=True),
    "too wide, transparent": webp((321, 5), "RGBA"),
    "two sizes": extended_with((9, 6)),
    "animated": animation(),
    "with EXIF": webp(exif=Image.Exif().tobytes() or b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
    "with a profile": webp(icc_profile=b"profile"),
    "no frame": webp().replace(b"\x9d\x01\x2a", b"\0\0\0"),
    "large": b"RIFF" + (2**20 - 8).to_bytes(4, "little") + b"WEBPVP8 " + bytes(2**20 - 16),
}


@pytest.mark.parametrize("image", OTHER.values(), ids=OTHER)
def test_what_is_no_small_plain_webp_is_no_thumbnail(image: bytes) -> None:
    with pytest.raises(Unprocessable, match=FAILS):
        read_answer(with_thumbnail(image))
