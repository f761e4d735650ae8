"""What processes take: processor time and memory, each family by the name of its program."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

Roots = Mapping[str, int]
"""The name of each program, and the pid of its first process."""


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that it has started, as far as they still run."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def cpu_seconds(roots: Roots) -> dict[str, float]:
    """Return the processor seconds of each program so far, those of ended children included."""
    found = dict.fromkeys(roots, 0.0)
    for name, pid in roots.items():
        for process in family(pid):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            own, ended = times.user + times.system, times.children_user + times.children_system
            found[name] += own + ended
    return found


def pss_bytes(pid: int) -> int:
    """Return the memory of a process; of what several share each has its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def samples(seconds: float, number: int, look: Callable[[], float]) -> Iterator[float]:
    """Yield how much what `look` returns grows within each of `number` spans of `seconds`."""
    before = look()
    for _ in range(number):
        time.sleep(seconds)  # not a wait for anything: the span that is measured
        now = look()
        yield now - before
        before = now
