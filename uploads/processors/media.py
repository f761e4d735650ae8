"""Audio and video, by PyAV: duration, codecs, bit rate, dimensions; the first frame."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from uploads.processors.base import Result, Unprocessable, errors_as
from uploads.processors.base import gettext_noop as _
from uploads.processors.thumbnails import make_thumbnail

# FFmpeg's demuxer for each type. If FFmpeg guessed, it would follow a playlist to other files.
FORMATS = {
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/amr": "amr",
    "audio/flac": "flac",
    "audio/mp4": "mp4",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/x-matroska": "matroska",
    "video/3gpp": "mp4",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/ogg": "ogg",
    "video/quicktime": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "matroska",
    "video/x-ms-wmv": "asf",
    "video/x-msvideo": "avi",
}
OPTIONS = {"protocol_whitelist": "none"}  # FFmpeg opens no other files
MAX_FRAME_PIXELS = 10_000_000
"""4K has 9 million. Larger frames are not decoded: they take too much memory."""
SCAN_SECONDS = 5.0  # processor time for finding the duration
BROKEN = _("The recording is broken.")


def process(path: Path, content_type: str) -> Result:
    if content_type not in FORMATS:
        return Result()
    try:
        with (
            errors_as(BROKEN),
            path.open("rb") as file,
            av.open(
                file, "r", FORMATS[content_type], options=OPTIONS, metadata_errors="replace"
            ) as container,
        ):
            poster = _first_frame(container)
            return Result(_streams(container) | {"duration": _duration(container)}, poster)
    except MemoryError:
        raise
    except FFmpegError as error:  # some subclasses are an OSError, too
        raise Unprocessable(BROKEN) from error


def _streams(container: InputContainer) -> dict[str, Any]:
    found: dict[str, Any] = {"bitrate": container.bit_rate or None}
    for video in _playable(container.streams.video)[:1]:
        rate = video.average_rate or video.guessed_rate
        found |= {
            "video_codec": video.codec_context.codec.canonical_name,
            "width": video.codec_context.width,
            "height": video.codec_context.height,
            "frame_rate": round(float(rate), 3) if rate else None,
        }
    for audio in _playable(container.streams.audio)[:1]:
        found |= {
            "audio_codec": audio.codec_context.codec.canonical_name,
            "sample_rate": audio.codec_context.sample_rate,
            "channels": audio.codec_context.channels,
        }
    return found


def _first_frame(container: InputContainer) -> bytes | None:
    """Return a thumbnail of the first video frame. Audio is only decoded to check it: None."""
    if not container.streams.video and not container.streams.audio:
        raise Unprocessable(_("The file has no audio and no video."))
    playable = _playable((*container.streams.video, *container.streams.audio))
    if not playable:
        return None
    stream = playable[0]
    context = stream.codec_context
    if isinstance(stream, VideoStream):
        if context.width * context.height > MAX_FRAME_PIXELS:
            return None
        context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    context.thread_count = 1  # each thread takes memory
    frame = next(container.decode(stream), None)
    if frame is None:
        raise Unprocessable(BROKEN)
    if not isinstance(frame, av.VideoFrame):
        return None
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return make_thumbnail(image.rotate(frame.rotation, expand=True))


def _playable(streams: Sequence[Any]) -> list[Any]:
    """Return the streams that have a decoder, without album covers, which are video to FFmpeg."""
    return [
        stream
        for stream in streams
        if stream.codec_context is not None and Disposition.attached_pic not in stream.disposition
    ]


def _duration(container: InputContainer) -> float | None:
    """Return the duration in seconds; None if the file does not say and scanning it takes long."""
    if container.duration and container.duration > 0:
        return round(container.duration / av.time_base, 3)
    until = time.process_time() + SCAN_SECONDS
    last = 0.0
    for packet in container.demux():
        if time.process_time() > until:
            return None
        if packet.pts is not None and packet.time_base is not None:
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return round(last, 3) or None
