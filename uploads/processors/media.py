"""Audio and video, by PyAV: duration, codecs, bit rate, dimensions; the first frame."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from uploads.processors.base import Result, Unprocessable, errors_as, import_all
from uploads.processors.base import gettext_noop as _
from uploads.processors.thumbnails import make_thumbnail

# FFmpeg's demuxer for each type. If FFmpeg guessed, it would follow a playlist to other files.
FORMATS = {
    "application/mxf": "mxf",
    "audio/3gpp": "mp4",
    "audio/3gpp2": "mp4",
    "audio/aac": "aac",
    "audio/ac3": "ac3",
    "audio/aiff": "aiff",
    "audio/amr": "amr",
    "audio/basic": "au",
    "audio/flac": "flac",
    "audio/mp4": "mp4",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/vnd.dts": "dts",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/x-ape": "ape",
    "audio/x-caf": "caf",
    "audio/x-dff": "iff",
    "audio/x-dsf": "dsf",
    "audio/x-flv": "flv",
    "audio/x-latm": "loas",
    "audio/x-matroska": "matroska",
    "audio/x-ms-wma": "asf",
    "audio/x-musepack": "mpc8 mpc",
    "audio/x-pn-realaudio": "rm",
    "audio/x-tak": "tak",
    "audio/x-tta": "tta",
    "audio/x-voc": "voc",
    "audio/x-w64": "w64",
    "audio/x-wavpack": "wv",
    "video/3gpp": "mp4",
    "video/3gpp2": "mp4",
    "video/dv": "dv",
    "video/h264": "h264",
    "video/h265": "hevc",
    "video/mp2t": "mpegts",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/ogg": "ogg",
    "video/quicktime": "mp4",
    "video/vc1": "vc1",
    "video/vnd.rn-realvideo": "rm",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "matroska",
    "video/x-mpeg-es": "mpegvideo",
    "video/x-mpeg4-es": "m4v",
    "video/x-ms-wmv": "asf",
    "video/x-msvideo": "avi",
    "video/x-nut": "nut",
    "video/x-yuv4mpeg": "yuv4mpegpipe",
}
FRAMES = frozenset(
    {
        *("audio/aac", "audio/ac3", "audio/mpeg", "audio/vnd.dts", "audio/x-latm"),
        *("video/h264", "video/h265", "video/vc1", "video/x-mpeg-es", "video/x-mpeg4-es"),
    }
)
"""Frames without a container: FFmpeg guesses their duration, so they are counted."""
TOLD_LENGTH = re.compile(
    rb"\xff[\xe2-\xff].{2}(.{2})?((.{9}|.{17}|.{32})(Xing|Info)|.{32}VBRI)", re.S
)
"""The first frame of an MP3 that tells how many there are."""
HEAD_BYTES = 512 * 1024
OPTIONS = {"protocol_whitelist": "none"}  # FFmpeg opens no other files
MAX_FRAME_PIXELS = 10_000_000
"""4K has 9 million. Larger frames are not decoded: they take too much memory."""
SCAN_SECONDS = 5.0  # processor time for finding the duration
BROKEN = _("The recording is broken.")


def preload() -> None:
    import_all("av")


def process(path: Path, content_type: str) -> Result:
    if content_type not in FORMATS:
        return Result()
    try:
        with errors_as(BROKEN), path.open("rb") as file:
            with _open(file, content_type) as container:
                poster, rotation = _first_frame(container)
                found = _streams(container, rotation)
                said = (container.duration or 0) / av.time_base
            is_guess = content_type in FRAMES and not _tells_length(file)
            if said <= 0 or is_guess:
                with _open(file, content_type) as container:
                    said = _scan(container, said, is_guess=is_guess)
            found["duration"] = round(said, 3) or None
            if said and (is_guess or not found["bitrate"]):
                found["bitrate"] = round(8 * path.stat().st_size / said)
            return Result(found, poster)
    except MemoryError:
        raise
    except FFmpegError as error:  # some subclasses are an OSError, too
        raise Unprocessable(BROKEN) from error


def _tells_length(file: BinaryIO) -> bool:
    file.seek(0)
    return bool(TOLD_LENGTH.search(file.read(HEAD_BYTES)))


def _open(file: BinaryIO, content_type: str) -> InputContainer:
    file.seek(0)
    name, *others = FORMATS[content_type].split()
    try:
        return av.open(file, "r", name, options=OPTIONS, metadata_errors="replace")
    except FFmpegError:
        if not others:
            raise
    file.seek(0)
    return av.open(file, "r", others[0], options=OPTIONS, metadata_errors="replace")


def _streams(container: InputContainer, rotation: int) -> dict[str, Any]:
    found: dict[str, Any] = {"bitrate": container.bit_rate or None}
    for video in _playable(container.streams.video)[:1]:
        rate = video.average_rate or video.guessed_rate
        found |= {
            "video_codec": video.codec_context.codec.canonical_name,
            "width": video.codec_context.width,
            "height": video.codec_context.height,
            "frame_rate": round(float(rate), 3) if rate else None,
            "rotation": rotation,
        }
    for audio in _playable(container.streams.audio)[:1]:
        found |= {
            "audio_codec": audio.codec_context.codec.canonical_name,
            "sample_rate": audio.codec_context.sample_rate,
            "channels": audio.codec_context.channels,
        }
    return found


def _first_frame(container: InputContainer) -> tuple[bytes | None, int]:
    """Return a thumbnail of the first video frame, and how far clockwise it was turned for it.

    Audio is only decoded to check it: None.
    """
    if not container.streams.video and not container.streams.audio:
        raise Unprocessable(_("The file has no audio and no video."))
    playable = _playable((*container.streams.video, *container.streams.audio))
    if not playable:
        return None, 0
    stream = playable[0]
    context = stream.codec_context
    if isinstance(stream, VideoStream):
        if context.width * context.height > MAX_FRAME_PIXELS:
            return None, 0
        context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    context.thread_count = 1  # each thread takes memory
    frame = next(container.decode(stream), None)
    if frame is None:
        raise Unprocessable(BROKEN)
    if not isinstance(frame, av.VideoFrame):
        return None, 0
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return make_thumbnail(image.rotate(frame.rotation, expand=True)), -frame.rotation % 360


def _playable(streams: Sequence[Any]) -> list[Any]:
    """Return the streams that have a decoder, without album covers, which are video to FFmpeg."""
    return [
        stream
        for stream in streams
        if stream.codec_context is not None and Disposition.attached_pic not in stream.disposition
    ]


def _scan(container: InputContainer, said: float, *, is_guess: bool) -> float:
    """Return the duration in seconds by all packets; 0 or what was said if that takes too long.

    said: what FFmpeg says. is_guess: whether it does so by the size of the first frames.
    """
    until = time.process_time() + SCAN_SECONDS
    last = total = 0.0
    count = 0
    streams = _playable((*container.streams.video, *container.streams.audio))[:1]
    for count, packet in enumerate(container.demux(streams or None)):  # noqa: B007
        if time.process_time() > until:
            return said
        if packet.time_base is not None:
            total += float((packet.duration or 0) * packet.time_base)
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                last = max(last, float(end))
    if not is_guess:
        return last
    if not total and isinstance(streams[0], VideoStream):
        total = count / float(streams[0].average_rate or streams[0].guessed_rate or 25)
    return total
