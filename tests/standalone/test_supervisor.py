"""The order of starting and stopping, with small programs in the place of the real ones."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from standalone import service, supervisor
from standalone.configuration import Configuration
from standalone.console import Console
from standalone.program import Program
from standalone.runner import Runner
from standalone.stale_processes import PidRegistry
from standalone.supervisor import StartError, Supervisor

# os.write, since the signal may come while the program is in the middle of its print. Short sleeps:
# one that begins right after the signal is not woken by it.
POLITE = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(os.write(1, b"bye\\n") - 4))
print("up", flush=True)
while True:
    time.sleep(0.1)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"no\\n"))
print("up", flush=True)
while True:
    time.sleep(1)
"""


class Script(Console):
    """A console that remembers, and sends a signal to this process when it gets a cue."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cues: dict[str, Callable[[], object]] = {}

    def write(self, name: str, text: str) -> None:
        line = f"{name}: {text}"
        self.lines.append(line)
        if cue := self.cues.pop(line, None):
            cue()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def supervise(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Run a supervisor over `programs` (name: code) after `setup`, without stores and web."""

    def run(programs: dict[str, str], setup: str = "pass", healthy: bool = True) -> int:
        def program(name: str, code: str) -> Program:
            return Program(
                name, [sys.executable, "-c", code], tmp_path, os.environ, stop_timeout=30
            )

        monkeypatch.setenv("DATABASE_URL", "elsewhere")
        monkeypatch.setenv("REDIS_URL", "elsewhere")
        monkeypatch.setattr(
            service, "programs", lambda *_: [program(*each) for each in programs.items()]
        )
        monkeypatch.setattr(service, "manage", lambda _, name, *options: program(name, setup))
        monkeypatch.setattr(supervisor, "_is_healthy", lambda address: healthy)
        configuration = Configuration(data_dir=tmp_path)
        return asyncio.run(Supervisor(configuration, Runner(script, PidRegistry(tmp_path))).run())

    return run


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_started_last_stops_first(
    script: Script, supervise: Callable[..., int], number: signal.Signals
) -> None:
    def once_all_are_up() -> None:
        if {"worker: up", "web: up"} <= set(script.lines):
            send(number)

    script.cues |= dict.fromkeys(["worker: up", "web: up"], once_all_are_up)

    assert supervise({"worker": POLITE, "web": POLITE}) == 0

    assert [line for line in script.lines if "bye" in line] == ["web: bye", "worker: bye"]
    assert script.lines[-1] == "footfall: stopped"


def test_the_echo_of_a_signal_is_no_second_one(
    script: Script, supervise: Callable[..., int]
) -> None:
    """`make` passes SIGTERM on; sent to its whole group, it comes twice."""
    script.cues["web: up"] = lambda: send(signal.SIGTERM)
    script.cues["footfall: stopping; a second signal kills what still runs"] = lambda: send(
        signal.SIGTERM
    )

    assert supervise({"web": POLITE}) == 0

    assert "web: bye" in script.lines


def test_a_second_signal_kills_what_does_not_stop(
    script: Script, supervise: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "REPEATED_SIGNAL", 0.0)
    script.cues["web: up"] = lambda: send(signal.SIGINT)
    script.cues["web: no"] = lambda: send(signal.SIGINT)

    assert supervise({"worker": POLITE, "web": STUBBORN}) == 1

    assert "worker: bye" not in script.lines
    assert script.lines[-1] == "footfall: stopped"


def test_a_setup_that_fails_stops_the_start_with_its_words(
    script: Script, supervise: Callable[..., int]
) -> None:
    with pytest.raises(StartError, match=r"`manage\.py firstadmin` ended with exit code 3"):
        supervise({"web": POLITE}, setup="print('no table'); exit(3)")

    assert "firstadmin: no table" in script.lines
    assert "web: up" not in script.lines


def test_a_signal_during_the_setup_ends_it(script: Script, supervise: Callable[..., int]) -> None:
    script.cues["footfall: starting (Ctrl-C stops)"] = lambda: (
        asyncio.get_running_loop().call_later(0.2, send, signal.SIGTERM)
    )

    assert supervise({"web": POLITE}, setup=POLITE) == 0

    assert "web: up" not in script.lines


def test_a_web_server_that_stays_ill_ends_the_start(
    supervise: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_TIMEOUT", -1.0)

    with pytest.raises(StartError, match="web server"):
        supervise({"web": POLITE}, healthy=False)
