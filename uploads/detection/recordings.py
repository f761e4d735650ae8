"""Detects sound and films by the structure of their container or frames."""

import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO

OGG_VIDEO = re.compile(rb"\x80theora|OVP80|BBCD\0|\x01video\0")
MATROSKA_AUDIO = re.compile(rb"\x86[\x81-\xbf]A_")  # element CodecID, length, value
MATROSKA_VIDEO = re.compile(rb"\x86[\x81-\xbf]V_")
ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
RIFF_TYPES = {
    b"WAVE": "audio/wav",
    b"AVI ": "video/x-msvideo",
    b"RMID": "audio/midi",
    b"WEBP": "image/webp",
}
SIGNATURES = (
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"MAC ", "audio/x-ape"),
    (b"TTA1", "audio/x-tta"),
    (b"wvpk", "audio/x-wavpack"),
    (b"MPCK", "audio/x-musepack"),
    (b"MP+", "audio/x-musepack"),
    (b"#!AMR", "audio/amr"),
    (b"tBaK", "audio/x-tak"),
    (b"FRM8\0\0", "audio/x-dff"),
    (b".snd", "audio/basic"),
    (b"caff\0\1", "audio/x-caf"),
    (b"DSD \x1c\0\0\0", "audio/x-dsf"),
    (b"Creative Voice File\x1a", "audio/x-voc"),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", "audio/x-w64"),
    (b"MThd\0\0\0\x06", "audio/midi"),
    (b".ra\xfd", "audio/x-pn-realaudio"),
    (b"\x7f\xfe\x80\x01", "audio/vnd.dts"),
    (b".RMF\0\0\0", "video/vnd.rn-realvideo"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
    (b"\x1aE\xdf\xa3", "video/x-matroska"),
    (b"FLV\1", "video/x-flv"),
    (b"YUV4MPEG2 ", "video/x-yuv4mpeg"),
    (b"nut/multimedia container\0", "video/x-nut"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "application/mxf"),
    (b"\x1f\x07\0", "video/dv"),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/x-mpeg-es"),
    (b"\0\0\1\xb0", "video/x-mpeg4-es"),
    (b"\0\0\1\x0f", "video/vc1"),
)
START = rb"\x00\x00\x00?\x01"
H264_START = re.compile(rb"%b[\x06\x09\x27\x47\x67]" % START)
H264 = re.compile(rb"%b[\x27\x47\x67].{3,999}?%b[\x28\x48\x68]" % (START, START), re.S)
H265 = re.compile(
    rb"(%b\x46\x01.{1,4})?%b\x40\x01.{3,999}?%b\x42\x01" % (START, START, START), re.S
)
"""Parameter sets, which describe the pictures and stand first."""


# Boxes at the beginning of MP4 and QuickTime.
BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"sidx"}
BRANDS = (
    (re.compile(rb"avi[fs]"), "image/avif"),
    (re.compile(rb"hei[cxms]|hev[cxms]|mif1|msf1"), "image/heic"),
    (re.compile(rb"crx "), "image/x-canon-cr3"),
    (re.compile(rb"jp2 |jpm "), "image/jp2"),
    (re.compile(rb"jpx "), "image/jpx"),
    (re.compile(rb"qt  "), "video/quicktime"),
    (re.compile(rb"3g2."), "video/3gpp2"),
    (re.compile(rb"3g[a-z].|3gp."), "video/3gpp"),
    (re.compile(rb"M4[ABP] |F4[AB] "), "audio/mp4"),
)
MAX_BOXES = 1_000
MAX_TRACKS = 30
MAX_TAGS = 10

MPEG_BITRATES = {  # by version 1 and layer
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
FRAMES = 3
"""How many frames must follow one another."""
MAX_LEAD = 4_096
"""Bytes before the first frame: zeros, mostly."""
TS_PACKETS = 5


LengthOf = Callable[[bytes], tuple[int, object] | None]
"""Takes the header of a frame; returns its length, and what all frames of a file share."""


def recording_type(file: BinaryIO, head: bytes) -> str | None:
    """Return the content type of sound or a film; None for anything else.

    head: the first bytes of the file, which can be read at any place.
    """
    if head[:4] in {b"RIFF", b"RF64", b"BW64", b"RIFX"}:
        return RIFF_TYPES.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return "audio/aiff"
    if head[4:8] in BOXES and head[:4] != b"RIFF":
        return _boxes_type(file, head)
    if head.startswith(b"ID3"):
        return _tagged_type(file, head)
    for magic, content_type in SIGNATURES:
        if head.startswith(magic):
            return _by_streams(content_type, head)
    return _frames_type(head)


def _by_streams(content_type: str, head: bytes) -> str:
    """Return audio or video for a container, depending on its streams."""
    if content_type == "audio/ogg":
        return "video/ogg" if OGG_VIDEO.search(head) else content_type
    if content_type == "video/x-ms-wmv":
        return content_type if ASF_VIDEO in head else "audio/x-ms-wma"
    if content_type == "video/x-flv":
        return content_type if head[4:5] != b"\4" else "audio/x-flv"
    if content_type == "video/vnd.rn-realvideo":
        return content_type if b"VIDORV" in head else "audio/x-pn-realaudio"
    if content_type == "video/x-matroska":
        is_audio = MATROSKA_AUDIO.search(head) and not MATROSKA_VIDEO.search(head)
        name = "webm" if b"webm" in head[:64] else "x-matroska"
        return f"{'audio' if is_audio else 'video'}/{name}"
    return content_type


def _tagged_type(file: BinaryIO, head: bytes) -> str | None:
    """Return the type of what stands behind ID3 tags."""
    start = 0
    for _number in range(MAX_TAGS):
        tag = _read(file, start, 10)
        if not tag.startswith(b"ID3") or len(tag) < 10:
            break
        sizes = tag[6:10]
        if any(size > 127 for size in sizes):
            return None
        start += 10 + sum(size << shift for size, shift in zip(sizes, (21, 14, 7, 0), strict=True))
        start += 10 if tag[5] & 0x10 else 0  # a footer
    rest = _read(file, start, MAX_LEAD * 4).lstrip(b"\0")
    for magic, content_type in SIGNATURES:
        if content_type.startswith("audio/") and rest.startswith(magic):
            return _by_streams(content_type, rest)
    return _frames_type(rest) or "audio/mpeg"


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _frames_type(head: bytes) -> str | None:
    """Return the type of a stream without a container, by frames that follow one another."""
    if _is_transport_stream(head):
        return "video/mp2t"
    if H265.match(head):
        return "video/h265"
    if H264_START.match(head) and H264.search(head[: 2 * MAX_LEAD]):
        return "video/h264"
    lead = len(head) - len(head.lstrip(b"\0"))
    starts = [lead, *(match.start() for match in re.finditer(rb"\xff[\xe0-\xff]", head[:MAX_LEAD]))]
    for start in starts:
        for content_type, length_of in STREAMS:
            if _is_chain(head, start, length_of, FRAMES if start == lead else 2 * FRAMES):
                return content_type
    return None


def _is_transport_stream(head: bytes) -> bool:
    for size, lead in ((188, 0), (192, 4), (204, 0)):
        for start in (lead, *((head.find(b"\x47", 0, size),) if lead == 0 else ())):
            marks = head[start::size][:TS_PACKETS] if start >= 0 else b""
            if len(marks) >= 3 and marks == b"\x47" * len(marks):
                return not head[start + 1] & 0x80
    return False


def _is_chain(head: bytes, start: int, length_of: LengthOf, frames: int) -> bool:
    """Return whether frames follow one another from `start` on, or up to the end."""
    kinds = set()
    first = start
    for number in range(frames):
        found = length_of(head[start : start + 8])
        if found is None:
            return number > (1 if first else 0) and start >= len(head)  # the file ends
        length, kind = found
        kinds.add(kind)
        start += length
    return len(kinds) == 1


def _mpeg_frame(header: bytes) -> tuple[int, object] | None:
    """Return the length of a frame of MPEG audio and what all frames of a file share."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in {0, 15} or rate == 3:
        return None
    bits = MPEG_BITRATES[version == 3, layer][bitrate] * 1_000
    hertz = MPEG_RATES[version][rate]
    if layer == 1:
        return (12 * bits // hertz + padding) * 4, (version, layer, rate)
    samples = 72 if layer == 3 and version != 3 else 144
    return samples * bits // hertz + padding, (version, layer, rate)


def _adts_frame(header: bytes) -> tuple[int, object] | None:
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return (length, header[2] & 0xFC) if length > 7 and header[2] & 0x3C < 0x34 else None


def _latm_frame(header: bytes) -> tuple[int, object] | None:
    if len(header) < 3 or header[0] != 0x56 or header[1] & 0xE0 != 0xE0:
        return None
    return 3 + ((header[1] & 0x1F) << 8 | header[2]), None


AC3_KILOBITS = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640),
)


def _ac3_frame(header: bytes) -> tuple[int, object] | None:
    if len(header) < 6 or header[:2] != b"\x0b\x77":
        return None
    if header[5] >> 3 > 10:  # Enhanced AC-3
        return 2 * (((header[2] & 7) << 8 | header[3]) + 1), "enhanced"
    rate, size = header[4] >> 6, header[4] & 0x3F
    if rate == 3 or size > 37:
        return None
    kilobits = AC3_KILOBITS[size >> 1]
    if rate == 1:
        return 2 * (kilobits * 320 // 147 + (size & 1)), rate
    return 2 * kilobits * (2 if rate == 0 else 3), rate


STREAMS = (
    ("audio/mpeg", _mpeg_frame),
    ("audio/aac", _adts_frame),
    ("audio/x-latm", _latm_frame),
    ("audio/ac3", _ac3_frame),
)


def _boxes_type(file: BinaryIO, head: bytes) -> str | None:
    """Return the type of an MP4 or QuickTime file, by its brand and the handlers of its tracks."""
    boxes: dict[bytes, tuple[int, int]] = {}
    for name, start, end in _boxes(file, 0, None):
        boxes.setdefault(name, (start, end))
    if not boxes or not {b"ftyp", b"moov", b"mdat", b"moof", b"styp"} & boxes.keys():
        return None
    content_type = _brand_type(head)
    if not content_type.startswith("video/"):
        return content_type
    handlers = set(_handlers(file, *boxes[b"moov"])) if b"moov" in boxes else set()
    if b"soun" in handlers and b"vide" not in handlers:
        return {"video/quicktime": "audio/mp4"}.get(
            content_type, content_type.replace("video/", "audio/")
        )
    return content_type


def _brand_type(head: bytes) -> str:
    if head[4:8] != b"ftyp":
        return "video/mp4" if head[4:8] in {b"styp", b"sidx"} else "video/quicktime"
    major, size = head[8:12], min(struct.unpack(">I", head[:4])[0], 256)
    for pattern, content_type in BRANDS:
        if pattern.fullmatch(major):
            if content_type == "image/heic" and b"avif" in head[16:size]:
                return "image/avif"
            return content_type
    return "video/mp4"


def _boxes(file: BinaryIO, start: int, end: int | None) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box from `start` on, and where its content starts and ends."""
    end = file.seek(0, 2) if end is None else end
    for _number in range(MAX_BOXES):
        header = _read(file, start, 16)
        if start + 8 > end or len(header) < 8:
            return
        size, name, offset = struct.unpack(">I", header[:4])[0], header[4:8], 8
        if size == 1 and len(header) == 16:
            size, offset = struct.unpack(">Q", header[8:])[0], 16
        elif size == 0:
            size = end - start
        if size < offset:
            return
        yield name, start + offset, min(start + size, end)
        start += size


def _handlers(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """Yield the handler of each track: `vide` and `soun` for pictures and sound."""
    for _moov, track, track_end in _named(b"trak", _boxes(file, start, end)):
        for _trak, inner, inner_end in _named(b"mdia", _boxes(file, track, track_end)):
            for _mdia, place, _end in _named(b"hdlr", _boxes(file, inner, inner_end)):
                yield _read(file, place + 8, 4)


def _named(
    name: bytes, boxes: Iterator[tuple[bytes, int, int]]
) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes of this name: a few, since tracks have one of each."""
    return islice((box for box in boxes if box[0] == name), MAX_TRACKS)
