"""A file is processed by a child that can harm nothing, and that leaves nothing behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from django.utils import translation
from pytest_django import Settings

from loadtest.common.waiting import wait_until
from tests.support import files as making
from tests.uploads.run_processor import run_in_child
from uploads.models import Kind
from uploads.processing import sandbox
from uploads.processing.sandbox import Interrupted
from uploads.processors.base import Result, Unprocessable

ROOT = Path(__file__).parents[3]
NAUGHTY = Path(__file__).with_name("misbehaving_child.py")


@pytest.fixture
def misbehave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator["Misbehave"]:
    """Have a child do what is named, and see that none is left of it afterwards."""
    monkeypatch.setattr(sandbox, "CHILD", NAUGHTY)
    before = set(psutil.Process().children(recursive=True))
    yield Misbehave(tmp_path / "file")
    left = [child for child in psutil.Process().children(recursive=True) if child not in before]
    assert not [child for child in left if not is_of_a_store(child)]


def is_of_a_store(process: psutil.Process) -> bool:
    """PostgreSQL, which the tests may have started, starts processes whenever it likes."""
    with suppress(psutil.NoSuchProcess):
        return process.name() == "postgres"
    return True


class Misbehave:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"something")

    def __call__(self, how: str) -> Result:
        return sandbox.process(self.path, how, "text/plain")


@pytest.mark.parametrize("kind", Kind.values)
def test_every_kind_has_a_processor(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")

    with suppress(Unprocessable):  # an empty image is broken; a missing processor, Interrupted
        sandbox.process(path, kind, "application/x-nothing-known")


def test_a_kind_without_a_processor_waits_for_the_one_that_has_it(tmp_path: Path) -> None:
    """Another version of the service may have taken the file."""
    for kind in ("hologram", "../image"):
        with pytest.raises(Interrupted):
            sandbox.process(tmp_path, kind, "text/plain")


def test_files_are_looked_at_side_by_side(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(
            lambda n: run_in_child(making.png((n, 10)), tmp_path / str(n)), range(1, 9)
        )

        assert [result.metadata["width"] for result in found] == list(range(1, 9))


def test_what_takes_too_long_is_ended(misbehave: "Misbehave", settings: Settings) -> None:
    settings.UPLOADS_SECONDS = 0.5

    with pytest.raises(Unprocessable, match="Processing takes more than 1 s"):
        misbehave("idle")


def test_what_computes_too_long_is_ended(misbehave: "Misbehave", settings: Settings) -> None:
    settings.UPLOADS_CPU_SECONDS = 1

    with pytest.raises(Unprocessable, match="more than 1 s of processor time"):
        misbehave("burn")


def test_what_takes_too_much_memory_is_ended(misbehave: "Misbehave") -> None:
    with pytest.raises(Unprocessable, match="Processing needs more than 512 MB of memory"):
        misbehave("hoard")


@pytest.mark.parametrize("how", ["crash", "fall", "flood"])
def test_what_makes_the_processor_fail_is_not_tried_again(misbehave: "Misbehave", how: str) -> None:
    with pytest.raises(Unprocessable, match="The file makes its processor fail"):
        misbehave(how)


@pytest.mark.parametrize("how", ["vanish", "leave", "lack"])
def test_what_is_no_fault_of_the_file_may_be_tried_again(misbehave: "Misbehave", how: str) -> None:
    with pytest.raises(Interrupted):
        misbehave(how)


def test_what_a_library_prints_is_no_part_of_the_answer(misbehave: "Misbehave") -> None:
    assert misbehave("chat").metadata == {"quiet": True}


def test_a_child_knows_no_secrets(misbehave: "Misbehave", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "0123456789")

    found = misbehave("spy").metadata

    assert found["environment"] == sandbox.ENVIRONMENT | {"LC_CTYPE": "C.UTF-8"} or (
        found["environment"] == sandbox.ENVIRONMENT
    )
    assert found["directory"] == "/"


def test_a_child_needs_no_django() -> None:
    """It would take longer to import than most files take to be looked at."""
    processors = "; ".join(f"find_processor({kind!r})" for kind in Kind.values)
    code = (
        "import sys; from uploads.processing.child import find_processor; "
        f"{processors}; print([name for name in sys.modules if name.startswith('django')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_child_writes_no_file(misbehave: "Misbehave") -> None:
    with pytest.raises(Interrupted):
        misbehave("write")

    written = misbehave.path.with_suffix(".written")
    assert not written.exists() or written.stat().st_size == 0


def test_what_a_child_has_started_ends_with_it(misbehave: "Misbehave") -> None:
    pid = misbehave("hide").metadata["pid"]

    wait_until(lambda: is_over(pid))


def test_the_database_can_store_what_a_child_says(misbehave: "Misbehave") -> None:
    assert misbehave("forge").metadata == {
        "nan": None,
        "name": "ab\ufffd",
        "deep": [[[None]]],
        "big": None,
    }


def test_a_child_ends_with_a_killed_worker(tmp_path: Path) -> None:
    """Nobody would be left to end it, and it computes for 30 seconds."""
    code = (
        "from pathlib import Path; from uploads.processing import sandbox; "
        f"sandbox.CHILD = Path({str(NAUGHTY)!r}); "
        f"sandbox.process(Path({str(tmp_path)!r}), 'burn', '')"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    try:
        wait_until(lambda: psutil.Process(worker.pid).children())
        (child,) = psutil.Process(worker.pid).children()
        wait_until(lambda: child.nice() == 10)  # it has begun
    finally:
        worker.kill()
        worker.wait()

    wait_until(lambda: is_over(child.pid))


def is_over(pid: int) -> bool:
    """Return whether a process has ended, even if its status was not read yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_reason_is_told_in_the_language_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_", lambda message: f"«{message}»")

    with translation.override("en"), pytest.raises(Unprocessable, match=r"«The image is broken\.»"):
        run_in_child(making.png()[:60], tmp_path / "picture.png")
