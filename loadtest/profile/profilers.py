"""What processes do with their time: py-spy and perf are asked, and their answers read."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

Steps = Counter[str]
"""Samples by step."""
FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^:()]*)(?::\d+)?\)$")
FLUSH, FLUSH_STEPS = "footfall/flush.py", ("ingest", "project")
SYSTEM_CALL = re.compile(r"__x64_sys_(\w+)|do_sys_(\w+)")
KERNEL = "[kernel.kallsyms]"
RATE = 200  # samples a second


class Profiler:
    """A program that samples other processes, and what it has written when it has ended."""

    def __init__(self, *command: str) -> None:
        self.output = Path(tempfile.mkstemp(prefix="footfall-profile-")[1])
        words = [str(self.output) if word == "OUTPUT" else word for word in command]
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def wait(self) -> Path:
        """Return the file; raise OSError if it has failed, for instance for want of a right."""
        _, complaint = self.process.communicate()
        if self.process.returncode:
            raise OSError(f"{self.process.args!s}: {complaint[-500:]}")
        return self.output


def py_spy(pid: int, seconds: float) -> Profiler:
    """Sample the stacks of a Python process by the clock: also while it waits."""
    program = Path(sys.executable).with_name("py-spy")
    return Profiler(
        str(program), "record", "--pid", str(pid), "--duration", str(round(seconds)), "--idle",
        "--rate", str(RATE), "--format", "raw", "--output", "OUTPUT",
    )  # fmt: skip


def perf(pids: Iterable[int], seconds: float) -> Profiler | None:
    """Sample what processes do on a processor; None where perf is not installed."""
    if not (program := shutil.which("perf")):
        return None
    return Profiler(
        program, "record", "--event", "cpu-clock", "--freq", str(RATE), "-g", "--quiet",
        "--output", "OUTPUT", "--pid", ",".join(map(str, pids)), "--", "sleep", str(seconds),
    )  # fmt: skip


def steps_of_flush(file: Path) -> Steps:
    """Count what py-spy has seen within `ingest` and `project`, by what they called."""
    found: Steps = Counter()
    for line in file.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        if step := called_by(stack.split(";"), FLUSH_STEPS, FLUSH):
            found[step] += int(number)
    file.unlink()
    return found


def called_by(stack: Sequence[str], functions: Collection[str], file: str) -> str:
    """Return the function that one of `functions` has called; "" if none is on the stack.

    stack: `ingest (footfall/flush.py:44)`, the outermost first. file: where `functions` are.
    """
    frames = [found for one in stack if (found := FRAME.match(one))]
    for frame, called in zip(frames, [*frames[1:], None], strict=True):
        if frame["function"] in functions and frame["file"].endswith(file):
            return called["function"] if called else frame["function"]
    return ""


def steps_of_processor(file: Path, where: Callable[[list[str]], str]) -> Steps:
    """Count what perf has seen, as `where` names each stack, the innermost frame first."""
    done = subprocess.run(
        ["perf", "script", "--input", str(file), "--fields", "sym,dso,ip"],  # noqa: S607
        check=True, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    file.unlink()
    return Counter(map(where, stacks(done.stdout)))


def stacks(text: str) -> Iterator[list[str]]:
    """Yield the stacks of `perf script`: a frame is an address, a symbol, and (where it is)."""
    for sample in text.split("\n\n"):
        if frames := [line.strip() for line in sample.splitlines() if line.strip()]:
            yield frames


def system_call_or_file(frames: list[str]) -> str:
    """Name the system call in which a processor was, or else the program or library."""
    for frame in frames:
        if found := SYSTEM_CALL.search(frame):
            return f"system call {found[1] or found[2]}"
    place = frames[0].rpartition("(")[2].rstrip(")")
    return "interrupts" if place == KERNEL else Path(place).name or place
