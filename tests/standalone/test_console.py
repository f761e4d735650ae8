import os
from pathlib import Path

import pytest

from standalone.console import Console


def test_names_are_aligned_and_plain_on_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    Console(1).write_lines("web", ["one", "two"])
    Console(1).write("postgres", "three")

    assert capfd.readouterr().out == "web      | one\nweb      | two\npostgres | three\n"


def test_names_are_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, terminal = os.openpty()
    Console(terminal).write("web", "hello")

    assert os.read(ours, 100) == b"\x1b[32mweb      |\x1b[0m hello\r\n"

    monkeypatch.setenv("NO_COLOR", "1")
    assert not Console(terminal).coloured
    os.close(ours)
    os.close(terminal)


def test_a_reader_that_went_away_hinders_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    console = Console(writing)

    console.write("web", "to nobody")
    console.write("web", "nor this")

    os.close(writing)
    os.close(console.descriptor)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
def test_what_is_said_after_a_full_disk_has_room_again_is_heard() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    reading, writing = os.pipe()
    console = Console(full)

    console.write("web", "there is no room for this")
    os.dup2(writing, full)
    console.write("web", "again")

    assert os.read(reading, 100) == b"web      | again\n"
    for descriptor in (full, reading, writing):
        os.close(descriptor)
