"""The same promise for files, on the whole service: what was answered is processed, once each.

Real processes and real signals. `tests/uploads/processing/test_crashes.py` kills at exact points.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any

import pytest

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from tests.live.files import Files
from tests.live.people import People
from tests.support import files as making
from tests.support import sent_files
from tests.support.concurrency import meanwhile

FILES, CLIENTS = 200, 8

RUSSIAN = {"lines": 2, "words": 10, "characters": 58}
FILM = {"width": 64, "height": 48, "duration": 1.0, "frame_rate": 10.0}
FOUND: dict[str, dict[str, Any]] = {
    "picture.png": {"format": "PNG", "width": 64, "height": 48, "frames": 1},
    "picture.jpg": {"format": "JPEG", "width": 64, "height": 48, "orientation": 6},
    "picture.gif": {"format": "GIF", "width": 32, "height": 32, "frames": 3},
    "picture.webp": {"format": "WEBP", "width": 64, "height": 48},
    "picture.bmp": {"format": "BMP", "width": 64, "height": 48},
    "picture.tiff": {"format": "TIFF", "width": 64, "height": 48},
    "utf-8.txt": {"encoding": "utf-8", **RUSSIAN},
    "utf-16.txt": {"encoding": "utf-16", **RUSSIAN},
    "cp1251.txt": {"encoding": "windows-1251", **RUSSIAN},
    "book.pdf": {"pages": 2, "title": "A small book", "text_length": 28},
    "tone.wav": {"audio_codec": "pcm_s16le", "duration": 0.5, "sample_rate": 48000},
    "tone.mp3": {"audio_codec": "mp3", "duration": 0.5},
    "tone.flac": {"audio_codec": "flac", "duration": 0.5},
    "tone.ogg": {"audio_codec": "opus"},
    "tone.webm": {"audio_codec": "opus"},
    "film.mp4": {"video_codec": "mpeg4", "audio_codec": "aac", **FILM},
    "film.webm": {"video_codec": "vp8", **FILM},
    "table.csv": {"rows": 3, "columns": 3, "delimiter": ","},
    "table.tsv": {"rows": 3, "columns": 3, "delimiter": "\t"},
    "document.json": {"type": "object", "keys": ["name", "born"]},
    "archive.zip": {"entries": 2, "uncompressed_size": 1001},
    "anything.bin": {"size": 1024},
}
"""What the processing finds in the files that `making` makes; other keys aside."""


@pytest.fixture
def files(service: Copy) -> Files:
    return Files(service)


def test_a_file_is_processed_within_seconds(files: Files) -> None:
    began = time.monotonic()
    pk = files.upload("a.txt", making.RUSSIAN.encode())

    wait_until(lambda: files.latest(100)[pk]["processed"])

    print(f"processed after {time.monotonic() - began:.2f} s")  # noqa: T201


def test_slow_files_of_one_keep_no_text_of_another_waiting(service: Copy, files: Files) -> None:
    """Each of the PDFs takes some three seconds, and they were there first."""
    people = People(service)
    one, another = people.register(), people.register()
    slow = sent_files.pdf_of_drawings(0, curves=400_000)
    before = [files.upload("slow.pdf", slow, one) for _ in range(6)]
    wait_until(lambda: any(files.latest(100)[pk]["status"] == "processing" for pk in before))

    texts = [files.upload("a.txt", b"Hello", another) for _ in range(5)]
    wait_until(lambda: all(files.latest(100)[pk]["processed"] for pk in texts), 30)

    latest = files.latest(100)
    assert sum(latest[pk]["processed"] for pk in before) < len(before) - 2
    for pk in before:
        files.delete(pk, one)


@pytest.mark.long
def test_200_files_while_workers_are_killed_and_redis_restarts(service: Copy, files: Files) -> None:
    made = making.of_every_kind()
    assert made.keys() == FOUND.keys()
    before = files.processed()
    begun = threading.Event()

    def hurt() -> None:
        """Kill the worker amid the files, three times, and Redis after the second time."""
        begun.wait(30)
        for number in range(3):
            done = files.processed()
            wait_until(lambda done=done: files.processed() > done + 3, 150)  # type: ignore[misc]
            service.kill("worker")
            if number == 1:
                service.kill("redis")

    def upload(one: tuple[str, bytes]) -> int:
        begun.set()
        return files.upload(*one)

    sent = list(islice(cycle(made.items()), FILES))
    with meanwhile(hurt), ThreadPoolExecutor(CLIENTS) as clients:
        ids = list(clients.map(upload, sent))

    assert len(set(ids)) == FILES
    wait_until(lambda: files.processed() == before + FILES, 120)
    processed = files.latest(FILES)
    for pk, (name, body) in zip(ids, sent, strict=True):
        file = processed[pk]
        assert (file["name"], file["size"], file["error"]) == (name, len(body), "")
        assert file["metadata"] | FOUND[name] == file["metadata"], name
        assert bool(file["thumbnail"]) == name.startswith(("picture", "film", "book")), name
