import os

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
