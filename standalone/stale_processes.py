"""Ends processes that an earlier run of the same data directory has left behind.

Normally there are none, because children stop when their supervisor dies. Each run writes down what
it has started, so that no other process is ended.
"""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import psutil

from standalone import directories, room

STOP_TIMEOUT = 10.0  # seconds that a stale process gets to stop by itself


class Entry(TypedDict):
    """A started process. Its start time (`created`, Unix time) guards against a reused pid."""

    name: str
    pid: int
    created: float
    stop_signal: int


class PidRegistry:
    """The file in the data directory that lists the processes of this run."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "processes.json"
        self.data_dir = data_dir
        self.entries: dict[str, Entry] = {}
        self._retry: asyncio.TimerHandle | None = None

    def add(self, name: str, pid: int, stop_signal: signal.Signals) -> None:
        try:
            created = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        self.entries[name] = Entry(name=name, pid=pid, created=created, stop_signal=stop_signal)
        self._write()

    def remove(self, name: str) -> None:
        if self.entries.pop(name, None):
            self._write()

    def end_stale_processes(self) -> list[str]:
        """End what an earlier run has registered and is still running; return the names."""
        found = [
            (entry, process) for entry in self._read() for process in self._processes_of(entry)
        ]
        for entry, process in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(entry["stop_signal"])
        _, alive = psutil.wait_procs([process for _, process in found], STOP_TIMEOUT)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, STOP_TIMEOUT)
        self._write()
        return sorted({entry["name"] for entry, _ in found})

    def _processes_of(self, entry: Entry) -> Iterator[psutil.Process]:
        """Yield the process of `entry` and its descendants: every process in its session."""
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == entry["pid"] and self._is_ours(process, entry):
                    yield process
            except (psutil.Error, ProcessLookupError):
                continue  # it has ended, or belongs to another user

    def _is_ours(self, process: psutil.Process, entry: Entry) -> bool:
        if process.pid == entry["pid"]:
            return abs(process.create_time() - entry["created"]) < 1.0
        return process.environ().get("DATA_DIR") == str(self.data_dir)

    def _read(self) -> list[Entry]:
        try:
            entries: list[Entry] = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return []
        return entries

    def _write(self) -> None:
        """Write all entries. On a full disk the file stays as it is, and is written once it can."""
        if self._retry:
            self._retry.cancel()
            self._retry = None
        try:
            directories.write_private(self.path, json.dumps(list(self.entries.values()), indent=1))
        except OSError as error:
            if error.errno not in room.ERRORS:
                raise
            with suppress(RuntimeError):  # before there is a loop, nothing was started
                self._retry = asyncio.get_running_loop().call_later(room.PAUSE, self._write)
