"""Makes small real files of every kind."""

import io
import json
import math
import struct
import zipfile
from array import array
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import av
from PIL import Image

from uploads.models import File

MakeFile = Callable[..., File]
"""The fixture `make_file`."""
Upload = Callable[..., File]
"""The fixture `upload`."""

ENGLISH = "The quick brown fox\njumps over the lazy dog.\n"
RUSSIAN = "Съешь же ещё этих мягких\nфранцузских булок, да выпей чаю.\n"  # noqa: RUF001
ORIENTATION = 0x0112
GPS = 0x8825


def picture(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """Return a picture whose left half is red: it shows which way up it is."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    return image.convert(mode)


def image(
    format: str,  # noqa: A002
    size: tuple[int, int] = (64, 48),
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    out = io.BytesIO()
    picture(size, mode).save(out, format, **options)
    return out.getvalue()


def png(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    return image("PNG", size, mode)


def jpeg(
    size: tuple[int, int] = (64, 48), *, orientation: int = 1, place: str | None = None
) -> bytes:
    """Return a JPEG with EXIF data; `place` is a secret in its GPS part."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    if place:
        exif[GPS] = {29: place}  # GPSDateStamp: a text
        exif[0x010E] = place  # ImageDescription
    return image("JPEG", size, exif=exif)


def gif(frames: int = 3, size: tuple[int, int] = (32, 32)) -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("L", size, 7 * number % 256) for number in range(frames)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=100)
    return out.getvalue()


@cache
def pdf(pages: int = 2, title: str = "A small book", text: str = "Hello from page") -> bytes:
    from fpdf import FPDF  # takes 0.2 s, in every process

    document = FPDF()
    document.set_title(title)
    document.set_font("Helvetica", size=12)
    for number in range(1, pages + 1):
        document.add_page()
        document.cell(text=f"{text} {number}")
    return bytes(document.output())


@cache
def sound(
    format: str = "wav",  # noqa: A002
    codec: str = "pcm_s16le",
    seconds: float = 0.5,
    rate: int = 48_000,
) -> bytes:
    """Return a tone in a container of PyAV's: wav, mp3, flac, ogg, webm, mp4, matroska, adts."""
    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        _write_sound(container, container.add_stream(codec, rate=rate, layout="mono"), seconds)
    return out.getvalue()


def film(
    format: str = "mp4",  # noqa: A002
    codec: str = "mpeg4",
    size: tuple[int, int] = (64, 48),
    frames: int = 10,
    *,
    sound_codec: str | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """Return a film of 10 frames a second, red and blue."""
    out = io.BytesIO()
    with av.open(out, "w", format=format, options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        # Every stream is there before the first packet, since the header names them.
        heard: Any = sound_codec and container.add_stream(sound_codec, rate=48_000, layout="mono")
        for number in range(frames):
            frame: Any = av.VideoFrame.from_image(picture(size))  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if heard:
            _write_sound(container, heard, frames / 10)
    return out.getvalue()


@cache
def tone(samples: int) -> "array[int]":
    return array("h", (int(9_000 * math.sin(n / 15)) for n in range(samples)))


def _write_sound(container: Any, stream: Any, seconds: float) -> None:
    context = stream.codec_context
    rate = context.sample_rate
    wave = tone(int(seconds * rate))
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(wave))
    frame.planes[0].update(wave.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    size = context.frame_size if context.frame_size > 0 else 4_096
    resampler = av.AudioResampler(context.format, "mono", rate, frame_size=size)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def table(rows: int = 3, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    lines = [["name", "size", "price"], *([f"thing {n}", str(n), f"{n}.5"] for n in range(rows))]
    return "".join(delimiter.join(line) + "\r\n" for line in lines).encode(encoding)


def document(value: object = None) -> bytes:
    return json.dumps({"name": "Ada", "born": 1815} if value is None else value).encode()


def archive(entries: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, content in (entries or {"a.txt": b"a" * 1_000, "b/c.txt": b"c"}).items():
            archived.writestr(name, content)
    return out.getvalue()


def executable() -> bytes:
    """Return the beginning of a Linux program."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1) + bytes(100)


@cache
def of_every_kind() -> Mapping[str, bytes]:
    """Return a file of every type, by a name that fits it."""
    return {
        "picture.png": png(),
        "picture.jpg": jpeg(orientation=6),
        "picture.gif": gif(),
        "picture.webp": image("WEBP"),
        "picture.bmp": image("BMP"),
        "picture.tiff": image("TIFF"),
        "utf-8.txt": RUSSIAN.encode(),
        "utf-16.txt": RUSSIAN.encode("utf-16"),
        "cp1251.txt": RUSSIAN.encode("cp1251"),
        "book.pdf": pdf(),
        "tone.wav": sound(),
        "tone.mp3": sound("mp3", "libmp3lame"),
        "tone.flac": sound("flac", "flac"),
        "tone.ogg": sound("ogg", "libopus"),
        "tone.webm": sound("webm", "libopus"),
        "film.mp4": film(sound_codec="aac"),
        "film.webm": film("webm", "libvpx"),
        "table.csv": table(),
        "table.tsv": table(delimiter="\t"),
        "document.json": document(),
        "archive.zip": archive(),
        "anything.bin": bytes(range(256)) * 4,
    }
