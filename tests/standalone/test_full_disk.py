"""`make run` on a full disk waits for room, and says so."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from standalone import __main__ as program
from standalone import configuration, room
from standalone.configuration import Configuration
from standalone.supervisor import StartError, Supervisor

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def starts(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `make run` with a supervisor that fails so many times; returns how often it started."""

    def start(*errors: Exception) -> int:
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        monkeypatch.setenv("PORT", str(free_port))
        monkeypatch.setattr(room, "PAUSE", 0.0)
        monkeypatch.setattr(os, "umask", Mock())  # of this process, for all tests after it
        left = list(errors)
        runs = 0

        async def run(supervisor: Supervisor) -> int:
            nonlocal runs
            runs += 1
            if left:
                raise left.pop(0)
            return 0

        monkeypatch.setattr(Supervisor, "run", run)
        assert program.main() == 0
        return runs

    return start


def test_it_starts_again_until_there_is_room(
    starts: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert starts(FULL, StartError(f"initdb failed: {os.strerror(errno.ENOSPC)}")) == 3
    said = capfd.readouterr().out
    assert said.count(f"the disk of DATA_DIR {tmp_path} is full: starting again") == 2
    assert "initdb failed" in said


def test_it_waits_if_a_start_fails_while_the_disk_is_full(
    starts: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([0, 0, 10**9])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Mock(free=next(free)))
    assert starts(StartError("postgres is not ready after 60 s")) == 2


def test_another_error_ends_it(
    starts: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        starts(StartError("postgres is not ready after 60 s"))
    assert "is full" not in "".join(capfd.readouterr())


def test_a_data_dir_that_cannot_be_made_on_a_full_disk_is_no_wrong_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "mkdir", Mock(side_effect=FULL))
    wanted = Configuration(data_dir=tmp_path / "missing")
    with pytest.raises(OSError, match="No space"), configuration.lock_data_dir(wanted.data_dir):
        pass
    monkeypatch.undo()
    assert room.is_full(wanted.data_dir) == room.is_full(tmp_path)
