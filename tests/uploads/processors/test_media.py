"""What is found out about sound and films."""

import io
import re
import struct
from pathlib import Path

import pytest
from PIL import Image

from tests.support import files as making
from tests.uploads.run_processor import run_here
from uploads.processors import media
from uploads.processors.base import Unprocessable


@pytest.mark.parametrize(
    ("container", "codec", "named"),
    [
        ("wav", "pcm_s16le", "pcm_s16le"),
        ("mp3", "libmp3lame", "mp3"),
        ("flac", "flac", "flac"),
        ("ogg", "libopus", "opus"),
        ("webm", "libopus", "opus"),
        ("mp4", "aac", "aac"),
        ("adts", "aac", "aac"),
        ("matroska", "aac", "aac"),
        ("aiff", "pcm_s16be", "pcm_s16be"),
        ("mp2", "mp2", "mp2"),
        ("ac3", "ac3", "ac3"),
        ("tta", "tta", "tta"),
        ("wv", "wavpack", "wavpack"),
        ("au", "pcm_s16be", "pcm_s16be"),
        ("caf", "pcm_s16le", "pcm_s16le"),
        ("w64", "pcm_s16le", "pcm_s16le"),
        ("3gp", "aac", "aac"),
    ],
)
def test_sound(container: str, codec: str, named: str, tmp_path: Path) -> None:
    result = run_here(making.sound(container, codec, seconds=1.0), tmp_path / "tone")

    assert result.metadata.pop("duration") == pytest.approx(1.0, abs=0.1)
    assert result.metadata.pop("bitrate") > 0
    assert result.metadata == {"audio_codec": named, "sample_rate": 48_000, "channels": 1}
    assert result.thumbnail is None


@pytest.mark.parametrize(
    ("container", "codec", "named"),
    [("h264", "libx264", "h264"), ("hevc", "libx265", "hevc"), ("m4v", "mpeg4", "mpeg4")],
)
def test_pictures_without_a_container(
    container: str, codec: str, named: str, tmp_path: Path
) -> None:
    """Nothing tells how long a stream is: its frames are counted."""
    result = run_here(making.film(container, codec, (320, 240), frames=25), tmp_path / "film")

    assert result.metadata["duration"] == pytest.approx(2.5, abs=0.05)
    assert (result.metadata["video_codec"], result.metadata["width"]) == (named, 320)
    assert Image.open(io.BytesIO(result.thumbnail or b"")).size == (320, 240)


def test_an_mp3_of_mpeg_2_5(tmp_path: Path) -> None:
    content = making.sound("mp3", "libmp3lame", seconds=1.0, rate=11_025)
    found = run_here(content, tmp_path / "tone").metadata

    assert (found["sample_rate"], found["duration"]) == (11_025, pytest.approx(1.0, abs=0.1))


def test_the_duration_of_frames_is_counted_where_nothing_tells_it(tmp_path: Path) -> None:
    """FFmpeg guesses by the first ones: here silence, then sound that takes more room."""
    loud = making.sound("mp3", "libmp3lame", seconds=2.0)
    frames = re.split(rb"(?=\xff\xfb)", loud)
    quiet = bytes.fromhex("fffb14c4").ljust(96, b"\0")
    found = run_here(quiet * 200 + b"".join(frames[2:]), tmp_path / "tone").metadata

    expected = 200 * 1_152 / 48_000 + 2.0
    assert found["duration"] == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("cover", [making.png(), b"no picture at all"], ids=["whole", "broken"])
def test_a_cover_is_no_film(cover: bytes, tmp_path: Path) -> None:
    picture = b"\0image/png\0\3\0" + cover
    frame = b"APIC" + synchsafe(len(picture)) + b"\0\0" + picture
    tag = b"ID3\4\0\0" + synchsafe(len(frame)) + frame

    result = run_here(tag + making.sound("mp3", "libmp3lame"), tmp_path / "song.mp3")

    assert set(result.metadata) == {
        *("duration", "bitrate", "audio_codec", "sample_rate", "channels"),
    }


def synchsafe(number: int) -> bytes:
    """Return a length as ID3 writes it: seven bits in each byte."""
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


@pytest.mark.parametrize(
    ("container", "codec", "named"),
    [
        ("mpegts", "libx264", "h264"),
        ("3g2", "mpeg4", "mpeg4"),
        ("asf", "wmv2", "wmv2"),
        ("mp4", "mpeg4", "mpeg4"),
        ("mp4", "libx264", "h264"),
        ("mov", "mpeg4", "mpeg4"),
        ("webm", "libvpx", "vp8"),
        ("matroska", "mpeg4", "mpeg4"),
        ("ogg", "libvpx", "vp8"),
        ("avi", "mpeg4", "mpeg4"),
        ("flv", "flv", "flv1"),
    ],
)
def test_a_film(container: str, codec: str, named: str, tmp_path: Path) -> None:
    result = run_here(making.film(container, codec, (320, 240)), tmp_path / "film")

    assert result.metadata["duration"] == pytest.approx(1.0, abs=0.2)
    assert result.metadata["frame_rate"] == pytest.approx(10.0)
    assert [result.metadata[key] for key in ("video_codec", "width", "height")] == [named, 320, 240]
    poster = Image.open(io.BytesIO(result.thumbnail or b""))
    assert (poster.format, poster.size) == ("WEBP", (320, 240))
    red, _, blue = poster.convert("RGB").getpixel((20, 100))  # type: ignore[misc]
    assert red > blue


def test_a_film_with_sound(tmp_path: Path) -> None:
    found = run_here(making.film(sound_codec="aac"), tmp_path / "film.mp4").metadata

    assert (found["video_codec"], found["audio_codec"]) == ("mpeg4", "aac")


def test_a_film_that_is_coded_in_an_unknown_way(tmp_path: Path) -> None:
    content = making.film("matroska").replace(b"V_MPEG4/ISO/ASP", b"V_MPEG4/ISO/XYZ")

    result = run_here(content, tmp_path / "film.mkv")

    assert (result.metadata["duration"], result.thumbnail) == (1.0, None)
    assert "video_codec" not in result.metadata


def test_a_film_that_was_recorded_upright(tmp_path: Path) -> None:
    """Phones write how to turn it into a matrix."""
    content = bytearray(making.film(size=(64, 48)))
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    start = content.index(matrix, content.index(b"tkhd"))
    content[start : start + len(matrix)] = quarter

    result = run_here(bytes(content), tmp_path / "film.mp4")

    stored = [result.metadata[key] for key in ("width", "height", "rotation")]
    assert stored == [64, 48, 90]
    poster = Image.open(io.BytesIO(result.thumbnail or b"")).convert("RGB")
    assert poster.size == (48, 64)
    red, _, blue = poster.getpixel((24, 5))  # type: ignore[misc]
    assert red > blue  # the left half, turned clockwise, is the upper one


def test_a_film_whose_header_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    """Browsers record such ones."""
    content = making.film("webm", "libvpx", options={"live": "1"})

    found = run_here(content, tmp_path / "film.webm").metadata

    assert found["duration"] == pytest.approx(1.0, abs=0.2)


def test_what_is_too_long_to_be_measured_has_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "SCAN_SECONDS", -1.0)
    content = making.film("webm", "libvpx", options={"live": "1"})

    assert run_here(content, tmp_path / "film.webm").metadata["duration"] is None


def test_a_film_of_huge_pictures_has_no_poster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MAX_FRAME_PIXELS", 1_000)

    result = run_here(making.film(), tmp_path / "film.mp4")

    assert (result.metadata["width"], result.thumbnail) == (64, None)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.8])
def test_a_film_that_is_cut_is_broken(part: float, tmp_path: Path) -> None:
    """It tells at its end of what is in it."""
    content = making.film(sound_codec="aac")

    with pytest.raises(Unprocessable, match=r"recording"):
        run_here(content[: int(len(content) * part)], tmp_path / "film.mp4")


def test_a_type_that_nothing_here_plays(tmp_path: Path) -> None:
    found = run_here(b"MThd\0\0\0\6\0\0\0\1\0\x60" + bytes(20), tmp_path / "tune").metadata
    assert found["content_type"] == "audio/midi"


def test_a_playlist_leads_to_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.mp3").write_bytes(making.sound("mp3", "libmp3lame"))
    lines = f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.mp3\n#EXT-X-ENDLIST\n"
    path = tmp_path / "list"
    path.write_text(lines)

    for content_type in media.FORMATS:
        with pytest.raises(Unprocessable):
            media.process(path, content_type)
