"""Runs programs as children: relays their output, restarts them, and stops them."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from standalone import room
from standalone.console import Console
from standalone.program import Program
from standalone.stale_processes import PidRegistry

T = TypeVar("T")

FIRST_PAUSE = 0.2  # seconds before the first restart
PAUSE_FACTOR = 1.6  # from each pause to the next
MAX_PAUSE = 10.0
POLL = 0.5  # seconds between two looks at a full disk
UPTIME = 5.0  # seconds after which the pause is the first one again
MAX_LINE = 64 * 1024  # bytes; a longer line is shown in pieces


class Runner:
    """Runs programs for one supervisor. To stop a program, cancel the task that runs it."""

    def __init__(self, console: Console, registry: PidRegistry) -> None:
        self.console = console
        self.registry = registry
        self.kill_at_once = False  # stop programs with SIGKILL
        self.killed: list[str] = []  # programs that did not stop by themselves

    async def keep_running(self, program: Program) -> None:
        """Run `program`, and again each time it has ended, until the task is cancelled."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            status = await self.run(program)
            if time.monotonic() - started > UPTIME:
                pause = FIRST_PAUSE
            what = f"{program.name} {ending(status)}; starting it again in {pause:.1f} s"
            if room.is_full(*self._directories(program)):
                full = f"the disk of DATA_DIR {self.registry.data_dir} is full"
                self.console.write("footfall", f"{what}, or once there is room: {full}")
                pause = FIRST_PAUSE if await self._there_is_room(program, pause) else pause
            else:
                self.console.write("footfall", what)
                await asyncio.sleep(pause)
            pause = min(pause * PAUSE_FACTOR, MAX_PAUSE)

    async def _there_is_room(self, program: Program, seconds: float) -> bool:
        """Wait for so long, or until there is room on the disk; return whether there is."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, POLL))
            if not room.is_full(*self._directories(program)):
                return True
        return False

    def _directories(self, program: Program) -> list[Path]:
        return [self.registry.data_dir, program.directory]

    async def run(self, program: Program, on_line: Callable[[str], None] | None = None) -> int:
        """Run `program` to its end and return its exit code, or minus the number of a signal.

        `on_line` gets its output instead of the console. Cancelling the task stops the program.
        """
        lines = Lines(on_line or self._relay(program))
        # Shielded, so that a program that is just starting is stopped like any other.
        starting = asyncio.ensure_future(self._start(program, lines))
        try:
            process = await asyncio.shield(starting)
            self.registry.add(program.name, process.pid, program.stop_signal)
            return await process.wait()
        except asyncio.CancelledError:
            await self._stop(program, await _uncancelled(starting))
            raise
        finally:
            process = await _uncancelled(starting)
            # Its workers would still hold the port.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await _uncancelled(process.wait())
            await _uncancelled(asyncio.wait({lines.ended}, timeout=1.0))
            lines.close()
            self.registry.remove(program.name)
            if _is_cancelled():  # `_uncancelled` has held that back
                raise asyncio.CancelledError

    async def _start(self, program: Program, lines: "Lines") -> asyncio.subprocess.Process:
        reading, writing = os.pipe()
        try:
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: lines, os.fdopen(reading, "rb"))
            return await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                **program.process_options(),
            )
        finally:
            os.close(writing)

    async def _stop(self, program: Program, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        if not self.kill_at_once:
            process.send_signal(program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), 0 if self.kill_at_once else program.stop_timeout)
        except TimeoutError:
            self.console.write("footfall", f"{program.name} has not stopped: killing it")
            self.killed.append(program.name)

    def _relay(self, program: Program) -> Callable[[str], None]:
        def relay(line: str) -> None:
            if line and not (program.ignored_lines and program.ignored_lines.match(line)):
                self.console.write(program.name, line)

        return relay


class Lines(asyncio.Protocol):
    """Splits the output of a pipe into lines. `ended` is done after the last one."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.on_line = on_line
        self.rest = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def close(self) -> None:
        """Close the pipe. Its output is ignored from now on."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > MAX_LINE:
            lines, self.rest = [*lines, self.rest], b""
        for line in lines:
            self.on_line(line.decode(errors="replace").rstrip())

    def connection_lost(self, error: Exception | None) -> None:
        if self.rest:
            self.on_line(self.rest.decode(errors="replace"))
        self.ended.set_result(None)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _uncancelled(awaitable: Awaitable[T]) -> T:
    """Return the result of something short, even if this task is cancelled meanwhile.

    The caller must then raise CancelledError if `_is_cancelled`: it is not raised again.
    """
    future = asyncio.ensure_future(awaitable)
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(future)
    return future.result()


def ending(status: int) -> str:
    """Describe the exit code of a process, which is negative after a signal."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"
