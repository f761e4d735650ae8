"""Malicious files: each is failed or safely processed, and the next one is processed.

Where a limit is what ends them, it is a small one here, so that the tests are fast.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.support import files as making
from tests.uploads.processors import bombs
from tests.uploads.run_processor import detected_as, run_in_child
from uploads.processors.base import Unprocessable

MEGABYTE = 1024**2

# What it is called, what makes it, and the reason why it failed, or one of its metadata.
HOSTILE: list[tuple[str, Callable[[], bytes], str | tuple[str, object]]] = [
    ("bomb.png", bombs.png_bomb, "The image has more than 20 million pixels."),
    ("liar.png", bombs.png_liar, "The image is broken."),
    ("comment.png", bombs.png_text_bomb, "The image is broken."),
    ("many.gif", lambda: making.gif(1_050, (4, 4)), "The image has more than 1000 frames."),
    ("exif.jpg", bombs.exif_trap, ("orientation", 1)),
    ("endless.tiff", bombs.tiff_endless, ("width", 8)),
    ("cut.png", lambda: making.png((200, 200))[:300], "The image is broken."),
    ("bomb.pdf", bombs.pdf_stream_bomb, ("pages", 1)),
    ("endless.pdf", bombs.pdf_endless_tree, ("pages", 2)),
    ("doubling.pdf", bombs.pdf_doubling_tree, ("pages", 2)),
    ("deep.pdf", bombs.pdf_deep_array, "The PDF is broken."),
    ("cut.pdf", lambda: making.pdf()[:600], "The PDF is broken."),
    ("bomb.zip", bombs.zip_bomb, ("entries", 10)),
    ("entries.zip", bombs.zip_endless_entries, "The archive has more than 100000 entries."),
    ("cut.zip", lambda: making.archive()[:-10], "The archive is broken."),
    ("offset.zip", bombs.zip_wrong_offset, "The archive is broken."),
    ("deep.json", lambda: b"[" * 200_000 + b"]" * 200_000, "The file is nested too deeply."),
    ("number.json", lambda: b"[" + b"9" * 5_000_000 + b"]", ("length", 1)),
    ("field.csv", lambda: b'a,b\n"' + b"x,\n" * 700_000, "A field of the table is too long."),
    ("line.csv", lambda: b"x," * 3_000_000, "A line of the table is too long."),
    ("line.txt", lambda: b"x" * 10_000_000, ("lines", 1)),
    ("spaces.txt", lambda: b" " * 10_000_000, ("words", 0)),
    ("liar.wav", bombs.wav_liar, ("sample_rate", 48_000)),
    ("cut.mp4", lambda: making.film()[:500], "The file has no audio and no video."),
    ("cut.webm", lambda: making.film("webm", "libvpx")[:300], "The recording is broken."),
    ("script.gif", bombs.gif_and_script, ("format", "GIF")),
    ("page.jpg", bombs.jpeg_and_html, ("format", "JPEG")),
    ("both.pdf", bombs.pdf_and_zip, ("pages", 2)),
    ("empty.txt", lambda: b"", ("size", 0)),
]


@pytest.mark.parametrize(("name", "make", "expected"), HOSTILE, ids=[each[0] for each in HOSTILE])
def test_a_hostile_file_is_failed_or_safely_processed(
    name: str,
    make: Callable[[], bytes],
    expected: str | tuple[str, object],
    tmp_path: Path,
) -> None:
    content = make()

    if isinstance(expected, str):
        with pytest.raises(Unprocessable) as raised:
            run_in_child(content, tmp_path / name)
        assert str(raised.value) == expected
    else:
        key, value = expected
        assert run_in_child(content, tmp_path / name).metadata[key] == value


def test_entries_that_share_their_data_are_read_within_limits(tmp_path: Path) -> None:
    """Newer Pythons call such an archive broken."""
    with suppress(Unprocessable):
        found = run_in_child(bombs.zip_overlapping(), tmp_path / "overlapping.zip").metadata
        assert found["entries"] == 1_000


@pytest.mark.parametrize(
    ("make", "content_type"),
    [
        (bombs.gif_and_script, "image/gif"),
        (bombs.jpeg_and_html, "image/jpeg"),
        (bombs.pdf_and_zip, "application/pdf"),
    ],
)
def test_what_is_two_things_is_what_it_begins_as(
    make: Callable[[], bytes], content_type: str
) -> None:
    """It is only ever served as that, and a browser is told not to guess."""
    for name in ("a.html", "a.js", "a.zip"):
        assert detected_as(make(), name).content_type == content_type


def test_memory_of_a_file_is_bounded(tmp_path: Path, settings: Settings) -> None:
    settings.UPLOADS_MEMORY_BYTES = 100 * MEGABYTE
    large = making.image("PNG", (4_400, 4_400), compress_level=1)

    with pytest.raises(Unprocessable, match="Processing needs more than 100 MB of memory"):
        run_in_child(b"[" + b'{"a":[1]},' * 700_000 + b"1]", tmp_path / "large.json")
    with pytest.raises(Unprocessable):
        run_in_child(large, tmp_path / "large.png")
    assert run_in_child(making.png(), tmp_path / "small.png").metadata["width"] == 64


@pytest.fixture
def peak() -> Callable[[], int]:
    """Return the most memory that this process has had since, in bytes more than at first."""
    if sys.platform != "linux":
        pytest.skip("only Linux forgets a peak")
    Path("/proc/self/clear_refs").write_text("5")
    start = _peak()
    return lambda: _peak() - start


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_the_worker_stays_small_and_ordinary_files_between_are_done(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bombs = {"bomb.png", "bomb.pdf", "bomb.zip", "deep.json", "line.txt"}
    made = {name: make() for name, make, _ in HOSTILE if name in bombs}
    ordinary = making.png()
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    peak: Callable[[], int] = request.getfixturevalue("peak")

    for name, content in made.items():
        with suppress(Unprocessable):
            run_in_child(content, tmp_path / name)
        assert run_in_child(ordinary, tmp_path / f"after-{name}.png").metadata["width"] == 64

    assert peak() < 16 * MEGABYTE
