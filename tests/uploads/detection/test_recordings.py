"""Sound and films, told by the structure of their container or frames."""

import struct

import pytest

from tests.support import files as making
from tests.uploads.run_processor import detected_as
from uploads.models import Kind


def tagged(content: bytes, size: int = 10) -> bytes:
    """Return it behind an ID3 tag of zeros."""
    length = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + length + bytes(size) + content


def frame(header: str, length: int) -> bytes:
    """Return a frame of silence."""
    return bytes.fromhex(header).ljust(length, b"\0")


MPEG_1 = frame("fffb9064", 417) * 4
CHECKED = frame("fffa9064", 417) * 4
LAYER_2 = frame("fffd8400", 384) * 4
LAYER_1 = frame("ffff9400", 288) * 4
ADTS = frame("fff15080021ffc", 16) * 4
AC_3 = frame("0b7700001c", 768) * 4


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        *((frames, "audio/mpeg") for frames in (MPEG_1, CHECKED, LAYER_1, LAYER_2)),
        (frame("ffe34064", 104) * 4, "audio/mpeg"),  # MPEG 2.5, 32 kbit/s, 11,025 Hz
        (bytes(3_000) + MPEG_1, "audio/mpeg"),
        (b"\xff" + bytes(9) + MPEG_1 * 2, "audio/mpeg"),
        (tagged(MPEG_1, 200_000), "audio/mpeg"),
        (tagged(tagged(MPEG_1)), "audio/mpeg"),
        (tagged(bytes(500) + MPEG_1), "audio/mpeg"),
        (ADTS, "audio/aac"),
        (tagged(ADTS), "audio/aac"),
        (AC_3, "audio/ac3"),
        (tagged(b"fLaC\0\0\0\x22" + bytes(40)), "audio/flac"),
        (tagged(b"fLaC\0\0\0\x22" + bytes(40), 200_000), "audio/flac"),
        (tagged(b"MAC \x96\x0f" + bytes(40)), "audio/x-ape"),
        (tagged(b"TTA1\1\0" + bytes(40)), "audio/x-tta"),
        (b"TTA1\1\0" + bytes(40), "audio/x-tta"),
        (b"wvpk" + bytes(40), "audio/x-wavpack"),
        (b"FORM\0\0\0\x40AIFFCOMM" + bytes(40), "audio/aiff"),
        (b"FORM\0\0\0\x40AIFCFVER" + bytes(40), "audio/aiff"),
        (b"RF64\xff\xff\xff\xffWAVEds64" + bytes(40), "audio/wav"),
        (b"#!AMR\n" + bytes(40), "audio/amr"),
        (b"\xff\xfb\x90\x64 and no second frame" + bytes(900), None),
        (b"\xff\xfb\x90\x64\0\1\2\3" * 300, None),
    ],
)
def test_sound(content: bytes, content_type: str | None) -> None:
    found = detected_as(content)

    assert found.content_type == (content_type or "application/octet-stream")
    assert found.kind == (Kind.AUDIO if content_type else Kind.OTHER)


def test_a_tune_has_no_recording() -> None:
    assert detected_as(b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk" + bytes(9)).kind == Kind.OTHER
    assert detected_as(b"RIFF\x20\0\0\0RMIDdata" + bytes(24)).kind == Kind.OTHER


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + name + body


def track(handler: bytes) -> bytes:
    return box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"hdlr", bytes(8), handler)))


SOUND = box(b"moov", box(b"mvhd", bytes(100)), track(b"soun"))
FILM = box(b"moov", track(b"vide"), track(b"soun"))
MANY = box(b"mdat", bytes(200_000))


def ftyp(brand: bytes) -> bytes:
    return box(b"ftyp", brand, bytes(4), b"isom")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        *((ftyp(brand) + FILM, "video/mp4") for brand in (b"isom", b"mp42", b"M4V ", b"dash")),
        *((ftyp(brand) + FILM, "video/mp4") for brand in (b"XAVC", b"MSNV", b"zzzz")),
        (ftyp(b"isom") + SOUND, "audio/mp4"),
        (ftyp(b"isom") + MANY + SOUND, "audio/mp4"),
        (ftyp(b"isom") + MANY + FILM, "video/mp4"),
        (ftyp(b"isom") + struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100) + SOUND, "audio/mp4"),
        (ftyp(b"M4A ") + MANY, "audio/mp4"),
        (ftyp(b"3gp4") + FILM, "video/3gpp"),
        (ftyp(b"3gp4") + SOUND, "audio/3gpp"),
        (ftyp(b"3g2a") + FILM, "video/3gpp2"),
        (ftyp(b"qt  ") + FILM, "video/quicktime"),
        *((box(first, bytes(8)) + MANY + FILM, "video/quicktime") for first in (b"wide", b"free")),
        *((box(first, bytes(8)) + MANY + FILM, "video/quicktime") for first in (b"skip", b"pnot")),
        (MANY + FILM, "video/quicktime"),
        (FILM + MANY, "video/quicktime"),
        (box(b"styp", b"msdh", bytes(4)) + box(b"moof", bytes(8)), "video/mp4"),
        (ftyp(b"avif"), "image/avif"),
        (ftyp(b"heic"), "image/heic"),
        (bytes(4) + b"free and nothing else", None),
        (box(b"free", bytes(100)), None),
    ],
)
def test_boxes(content: bytes, content_type: str | None) -> None:
    assert detected_as(content).content_type == (content_type or "application/octet-stream")


def packets(size: int, lead: int = 0) -> bytes:
    return (bytes(lead) + b"\x47\x40\0\x10".ljust(size - lead, b"\xff")) * 6


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (packets(188), "video/mp2t"),
        (packets(192, 4), "video/mp2t"),
        (packets(204), "video/mp2t"),
        (packets(188)[100:], "video/mp2t"),
        (b"\0\0\1\xba\x44" + bytes(40), "video/mpeg"),
        (b"\0\0\1\xb3\x0a" + bytes(40), "video/x-mpeg-es"),
        (b"\0\0\1\xb0\1\0\0\1\xb5" + bytes(40), "video/x-mpeg4-es"),
        (b"\0\0\0\1\x67" + b"\x42" * 20 + b"\0\0\0\1\x68\xce" + bytes(9), "video/h264"),
        (b"\0\0\0\1\x09\xf0\0\0\1\x67" + b"\x42" * 20 + b"\0\0\1\x68\xce", "video/h264"),
        (b"\0\0\0\1\6\5\xffx264" + b"\x42" * 600 + b"\0\0\1\x67\1\2\3\0\0\1\x68", "video/h264"),
        (b"\0\0\0\1\x40\1" + b"\x0c" * 20 + b"\0\0\0\1\x42\1\1", "video/h265"),
        (b"FLV\1\5\0\0\0\x09" + bytes(40), "video/x-flv"),
        (b"FLV\1\4\0\0\0\x09" + bytes(40), "audio/x-flv"),
        (b"RIFF\x40\0\0\0AVI LIST" + bytes(40), "video/x-msvideo"),
        ((b"\x47" + bytes(200)) * 6, None),
    ],
)
def test_films(content: bytes, content_type: str | None) -> None:
    assert detected_as(content).content_type == (content_type or "application/octet-stream")


ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_SOUND = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
ASF_PICTURES = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")


def test_windows_media_is_sound_unless_it_has_pictures() -> None:
    assert detected_as(ASF + bytes(30) + ASF_SOUND).content_type == "audio/x-ms-wma"
    both = ASF + bytes(30) + ASF_SOUND + ASF_PICTURES
    assert detected_as(both).content_type == "video/x-ms-wmv"


def test_an_audio_mp4_that_tells_at_its_end() -> None:
    assert detected_as(making.sound("mp4", "aac", seconds=3.0)).content_type == "audio/mp4"


NESTED = ftyp(b"isom") + struct.pack(">I4s", 1 << 30, b"moov")


@pytest.mark.parametrize(
    "content",
    [
        NESTED + struct.pack(">I4s", 1 << 29, b"trak") * 50_000,
        NESTED + struct.pack(">I4s", 8, b"trak") * 50_000,
        NESTED + (struct.pack(">I4s", 1 << 29, b"trak") + struct.pack(">I4s", 9, b"mdia")) * 50_000,
        b"ID3\4\0\0\0\0\0\0" * 50_000,
        b"\0\0\0\x08free" * 50_000,
    ],
)
def test_what_never_ends_is_given_up(content: bytes) -> None:
    detected_as(content)
