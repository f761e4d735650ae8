"""A file is processed by a child that can harm nothing, and that leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from celery import Celery
from celery.utils.imports import symbol_by_name
from django.utils import translation
from pytest_django import Settings

from loadtest.common.waiting import wait_until
from project.celery import app
from tests.support import files as making
from tests.uploads.run_processor import run_in_child
from uploads.models import Kind
from uploads.processing import answers, sandbox
from uploads.processing.sandbox import Interrupted
from uploads.processing.startup import ReportIsolation
from uploads.processing.template import ENVIRONMENT, Template
from uploads.processors.base import Result, Unprocessable
from uploads.queue.outbox import QUEUE

ROOT = Path(__file__).parents[3]
NAUGHTY = Path(__file__).with_name("misbehaving_child.py")
BARE = Path(__file__).with_name("bare_child.py")


@pytest.fixture(scope="module")
def naughty() -> Iterator[Template]:
    template = Template(NAUGHTY)
    yield template
    template.close()


@pytest.fixture(scope="module")
def bare() -> Iterator[Template]:
    template = Template(BARE)
    yield template
    template.close()


@pytest.fixture
def misbehave(
    naughty: Template, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator["Misbehave"]:
    """Have a child do what is named, and see that none is left of it afterwards."""
    monkeypatch.setattr(sandbox, "template", naughty)
    yield Misbehave(tmp_path / "file")
    wait_until(lambda: not children_of(naughty))


@pytest.fixture
def misbehave_bare(
    bare: Template, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator["Misbehave"]:
    """The same where the system has nothing to isolate it with."""
    monkeypatch.setattr(sandbox, "template", bare)
    yield Misbehave(tmp_path / "file")
    wait_until(lambda: not children_of(bare))


def children_of(template: Template) -> list[psutil.Process]:
    assert template.pid
    return psutil.Process(template.pid).children(recursive=True)


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

    assert found["environment"] == ENVIRONMENT | {"LC_CTYPE": "C.UTF-8"} or (
        found["environment"] == ENVIRONMENT
    )


def test_a_child_needs_no_django() -> None:
    """It would take longer to import than most files take to be looked at."""
    processors = "; ".join(f"find_processor({kind!r})" for kind in Kind.values)
    code = (
        "import sys; from uploads.child.processing import find_processor; "
        f"{processors}; print([name for name in sys.modules if name.startswith('django')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_child_writes_no_file(misbehave: "Misbehave") -> None:
    misbehave.path.write_text(str(misbehave.path))

    with pytest.raises(Interrupted):
        misbehave("write")

    assert not misbehave.path.with_suffix(".written").exists()


def test_a_child_reads_its_file_in_every_way(misbehave: "Misbehave") -> None:
    assert misbehave("read").metadata == {
        "both": ["eth", "som"],
        "text": "something",
        "size": [9, 9],
        "is_file": True,
        "descriptor": "som",
    }


def test_a_processor_may_have_threads(misbehave: "Misbehave") -> None:
    assert misbehave("thread").metadata == {"lengths": [9, 9, 9, 9]}


def test_a_child_starts_no_other(misbehave: "Misbehave") -> None:
    with pytest.raises(Interrupted):
        misbehave("hide")


def test_where_nothing_isolates_it_what_a_child_has_started_ends_with_it(
    misbehave_bare: "Misbehave",
) -> None:
    pid = misbehave_bare("hide").metadata["pid"]

    wait_until(lambda: is_over(pid))


def test_where_nothing_isolates_it_the_limits_hold(
    misbehave_bare: "Misbehave", settings: Settings
) -> None:
    settings.UPLOADS_CPU_SECONDS = 1

    assert misbehave_bare("read").metadata["text"] == "something"
    assert misbehave_bare("spy").metadata["environment"].keys() <= {*ENVIRONMENT, "LC_CTYPE"}
    with pytest.raises(Unprocessable, match="Processing needs more than 512 MB of memory"):
        misbehave_bare("hoard")
    with pytest.raises(Unprocessable, match="more than 1 s of processor time"):
        misbehave_bare("burn")
    misbehave_bare.path.write_text(str(misbehave_bare.path))
    with pytest.raises(Interrupted):
        misbehave_bare("write")


def test_a_worker_says_at_its_start_what_is_missing(
    bare: Template, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sandbox, "template", bare)

    step = ReportIsolation(None)
    step.start(None)
    step.thread.join()

    assert "seccomp (taken away)" in caplog.text
    assert "Landlock (taken away)" in caplog.text


def test_the_processors_are_loaded_with_the_first_file() -> None:
    template = Template()
    with closing(template):
        template.start()
        assert template.pid
        before = psutil.Process(template.pid).memory_info().rss
        template.fork().close()
        assert psutil.Process(template.pid).memory_info().rss > 2 * before


def test_workers_of_the_queue_of_uploads_say_it() -> None:
    steps = [symbol_by_name(step) for step in app.steps["worker"]]
    others, its = (SimpleNamespace(app=Celery(set_as_current=False)) for _ in range(2))
    others.app.amqp.queues.select("celery")
    its.app.amqp.queues.select([QUEUE])

    assert ReportIsolation in steps
    assert ReportIsolation.include_if(ReportIsolation(None), its)
    assert not ReportIsolation.include_if(ReportIsolation(None), others)


def test_a_template_that_was_killed_takes_its_children_with_it(misbehave: "Misbehave") -> None:
    with ThreadPoolExecutor(1) as threads:
        file = threads.submit(misbehave, "burn")
        wait_until(lambda: sandbox.template.pid and children_of(sandbox.template))
        (child,) = children_of(sandbox.template)
        os.kill(sandbox.template.pid or 0, signal.SIGKILL)

        with pytest.raises(Interrupted):
            file.result()

    wait_until(lambda: is_over(child.pid))
    assert misbehave("chat").metadata == {"quiet": True}


def test_a_forked_process_has_a_template_of_its_own(misbehave: "Misbehave") -> None:
    misbehave("chat")
    before = sandbox.template.pid

    pid = os.fork()
    if not pid:
        with suppress(Interrupted):
            is_fine = misbehave("chat").metadata == {"quiet": True}
            os._exit(0 if is_fine and sandbox.template.pid != before else 1)
        os._exit(2)
    _pid, status = os.waitpid(pid, 0)

    assert status == 0
    assert misbehave("chat").metadata == {"quiet": True}
    assert sandbox.template.pid == before


def test_a_process_forked_meanwhile_holds_no_file_up(
    misbehave: "Misbehave", monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the pipe of the answer open, which so has no end."""
    fork, forked = sandbox.template.fork, []

    def fork_twice() -> socket.socket:
        forked.append(os.fork())
        if not forked[-1]:
            signal.pause()
        return fork()

    monkeypatch.setattr(sandbox.template, "fork", fork_twice)
    try:
        assert misbehave("chat").metadata == {"quiet": True}
    finally:
        for pid in forked:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_a_template_that_does_not_start_interrupts_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "template.py"
    broken.write_text("raise SystemExit(1)")
    monkeypatch.setattr(sandbox, "template", Template(broken))

    with pytest.raises(Interrupted):
        sandbox.process(broken, "text", "text/plain")


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
        "from uploads.processing.template import Template; "
        f"sandbox.template = Template(Path({str(NAUGHTY)!r})); "
        f"sandbox.process(Path({str(tmp_path)!r}), 'burn', '')"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    try:
        wait_until(lambda: busy(worker.pid))
        (child,) = busy(worker.pid)
        (template,) = psutil.Process(worker.pid).children()
    finally:
        worker.kill()
        worker.wait()

    wait_until(lambda: is_over(child.pid) and is_over(template.pid))


def busy(worker: int) -> list[psutil.Process]:
    """Return the children that have begun to process a file."""
    found = []
    for process in psutil.Process(worker).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found += [process] if process.nice() == 10 else []
    return found


def is_over(pid: int) -> bool:
    """Return whether a process has ended, even if its status was not read yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_reason_is_told_in_the_language_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_", lambda message: f"«{message}»")

    with translation.override("en"), pytest.raises(Unprocessable, match=r"«The image is broken\.»"):
        run_in_child(making.png()[:60], tmp_path / "picture.png")
