"""Makes malicious files."""

import io
import struct
import zipfile
import zlib
from functools import cache

from PIL import Image

from tests.support import files as making


def pdf_of(*objects: bytes) -> bytes:
    """Return a PDF of these objects, by number; the first is its catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Root 1 0 R /Size %d >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF" % start)


@cache
def packed_zeros() -> bytes:
    """Return 100 MB of nothing, in 100 kB."""
    return zlib.compress(bytes(100_000_000))


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"


def pdf_stream_bomb() -> bytes:
    """One page, whose drawing is 100 MB of nothing in 100 kB."""
    packed = packed_zeros()
    return pdf_of(
        CATALOGUE,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed),
    )


def pdf_endless_tree() -> bytes:
    return pdf_of(CATALOGUE, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>")


def pdf_doubling_tree() -> bytes:
    """Each of 30 nodes has the next one twice: a billion pages."""
    nodes = [b"<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count 2 >>" % (n, n) for n in range(3, 33)]
    return pdf_of(CATALOGUE, *nodes, b"<< /Type /Page >>")


def pdf_deep_array() -> bytes:
    return pdf_of(CATALOGUE, b"[" * 100_000)


@cache
def png_bomb() -> bytes:
    """81 million pixels."""
    out = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(out, "PNG")
    return out.getvalue()


def png_liar() -> bytes:
    """Its header claims 16 million pixels, its data is a few bytes."""
    content = bytearray(making.png((4, 4)))
    content[16:24] = struct.pack(">II", 4_000, 4_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def png_text_bomb() -> bytes:
    """A comment of 100 MB, in 100 kB."""
    body = b"zTXtcomment\0\0" + packed_zeros()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    content = making.png()
    return content[:33] + chunk + content[33:]


def exif_trap() -> bytes:
    """Tags that point outside, claim 4 billion values, or have no type."""
    tags = [
        struct.pack("<HHII", 0x0112, 3, 0xFFFFFFFF, 8),
        struct.pack("<HHII", 0x010E, 2, 0x7FFFFFFF, 0xFFFFFFF0),
        struct.pack("<HHII", 0x8825, 4, 1, 8),  # the place, which is the directory it stands in
        struct.pack("<HHII", 0x9999, 999, 5, 5),
    ]
    block = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
    content = making.jpeg()
    start = content.index(b"\xff\xe1")
    (length,) = struct.unpack(">H", content[start + 2 : start + 4])
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    return content[:start] + segment + content[start + 2 + length :]


def tiff_endless() -> bytes:
    """Its second picture is its first one."""
    out = io.BytesIO()
    pictures = [Image.new("L", (8, 8), n) for n in (1, 2)]
    pictures[0].save(out, "TIFF", save_all=True, append_images=pictures[1:])
    content = bytearray(out.getvalue())
    (first,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[first : first + 2])
    after = first + 2 + count * 12
    content[after : after + 4] = struct.pack("<I", first)
    return bytes(content)


@cache
def zip_bomb() -> bytes:
    """An archive of archives, of 100 MB of zeros each."""
    inner = making.archive({"zeros": bytes(100_000_000)})
    return making.archive({f"{n}.zip": inner for n in range(10)})


def zip_overlapping() -> bytes:
    """1,000 entries, and the data of one."""
    content = making.archive({"a": bytes(1_000_000)})
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    directory = content[start:end] * 1_000
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1_000, 1_000, len(directory), start, 0)
    return content[:start] + directory + tail


def zip_endless_entries() -> bytes:
    """More entries than are looked at, without data: the directory lists them."""
    entry = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"a") * 100_001
    count = 0xFFFF  # more than it can say: readers go by the size
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), 38, 0)
    return making.archive({"a": b"abc"})[:38] + directory + tail


def zip_wrong_offset() -> bytes:
    """Its first entry lies before its start."""
    content = bytearray(making.archive())
    end = content.index(b"PK\x05\x06")
    (offset,) = struct.unpack("<I", content[end + 16 : end + 20])
    content[end + 16 : end + 20] = struct.pack("<I", offset + 50)
    return bytes(content)


def wav_liar() -> bytes:
    """Its header claims 4 GB."""
    content = bytearray(making.sound())
    data = content.index(b"data")
    content[4:8] = content[data + 4 : data + 8] = b"\xf0\xff\xff\xff"
    return bytes(content)


def gif_and_script() -> bytes:
    return making.gif(1) + b"/*<script>alert(1)</script>*/=1;"


def jpeg_and_html() -> bytes:
    content = making.jpeg()
    comment = b"<!DOCTYPE html><script>alert(1)</script>"
    return content[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + content[2:]


def pdf_and_zip() -> bytes:
    out = io.BytesIO()
    out.write(making.pdf())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("a.txt", "a")
    return out.getvalue()
