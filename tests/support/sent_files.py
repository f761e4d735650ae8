"""Small files to send: honest ones of several kinds, and some that take long or break."""

import csv
import io
import struct
import wave
import zipfile
import zlib
from functools import cache

from PIL import Image


@cache
def honest() -> dict[str, bytes]:
    """Return files by their names."""
    return {
        "text.txt": "Съешь же ещё этих мягких французских булок.\n".encode() * 50,
        "table.csv": table(),
        "data.json": b'{"name": "Ann", "born": 1990}',
        "picture.png": image("PNG"),
        "picture.jpg": image("JPEG"),
        "more.txt": b"The quick brown fox\n" * 200,
        "tone.wav": sound(),
        "archive.zip": archive({"a.txt": b"a" * 1000}),
        "book.pdf": pdf(),
        "cp1251.txt": ("Текст в старой кодировке.\n" * 50).encode("cp1251"),
    }


@cache
def hostile() -> dict[str, bytes]:
    """Return files by their names. Most take the time of a processor for eight seconds."""
    slow = {f"slow-{number}.pdf": pdf_of_drawings(number) for number in range(6)}
    return {
        **slow,
        "unpacked.pdf": pdf_with(zlib.compress(bytes(100_000_000))),
        "pixels.png": png_bomb(),
        "archives.zip": archive({f"{n}.zip": archive({"0": bytes(10_000_000)}) for n in range(10)}),
        "broken.jpg": image("JPEG")[:300],
    }


def image(kind: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((640, 480), 60).convert("RGB").save(out, kind)
    return out.getvalue()


def table() -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([["name", "born"], *([f"name {n}", n] for n in range(1000))])
    return out.getvalue().encode()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack("<8000h", *(n % 200 for n in range(8000))))
    return out.getvalue()


def archive(contents: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return out.getvalue()


def pdf() -> bytes:
    from fpdf import FPDF  # takes 0.2 s, in every process

    document = FPDF()
    document.set_font("Helvetica", size=12)
    for number in range(5):
        document.add_page()
        document.cell(text=f"Page {number}")
    return bytes(document.output())


def pdf_of_drawings(number: int, curves: int = 1_000_000) -> bytes:
    """One page with curves: the text of a million takes three seconds, their picture five."""
    curve = b"0 0 m 600 600 300 %d 5 600 c S\n" % number
    return pdf_with(zlib.compress(curve * curves))


def pdf_with(packed: bytes) -> bytes:
    """Return a PDF whose one page has this packed content."""
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 600] /Contents 4 0 R >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed),
    )
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n"
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out + b"trailer\n<< /Root 1 0 R /Size 5 >>\nstartxref\n%d\n%%%%EOF" % start)


def png_bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(out, "PNG")
    return out.getvalue()
