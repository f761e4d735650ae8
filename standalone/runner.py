"""Runs programs as children: their output line by line, their restarts, their end."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from standalone.console import Console
from standalone.leftovers import Roster
from standalone.program import Program

T = TypeVar("T")

FIRST_PAUSE = 0.2  # seconds before the first restart; each further one waits longer
LONGER = 1.6
LONGEST_PAUSE = 10.0
UPTIME = 5.0  # seconds after which a program counts as running again
LONGEST_LINE = 64 * 1024  # bytes; a longer one is shown in pieces


class Runner:
    """Runs programs for one supervisor. To stop a program, cancel the task that runs it."""

    def __init__(self, console: Console, roster: Roster) -> None:
        self.console = console
        self.roster = roster
        self.in_a_hurry = False  # then a program that is to stop is killed at once
        self.killed: list[str] = []  # the programs that did not stop by themselves

    async def keep_running(self, program: Program) -> None:
        """Run `program` again whenever it ends, for ever; it ends by being cancelled."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            status = await self.run(program)
            if time.monotonic() - started > UPTIME:
                pause = FIRST_PAUSE
            self.console.say(
                "footfall", f"{program.name} {ending(status)}; starting it again in {pause:.1f} s"
            )
            await asyncio.sleep(pause)
            pause = min(pause * LONGER, LONGEST_PAUSE)

    async def run(self, program: Program, hear: Callable[[str], None] | None = None) -> int:
        """Run `program` to its end and return its status, negative for a signal.

        `hear` gets its lines instead of the console. Cancelled, it stops the program and waits.
        """
        lines = Lines(hear or self._relay(program))
        # Shielded, so that a program that is just being started is stopped like any other.
        starting = asyncio.ensure_future(self._start(program, lines))
        try:
            process = await asyncio.shield(starting)
            self.roster.add(program.name, process.pid, program.stop_signal)
            return await process.wait()
        except asyncio.CancelledError:
            await self._stop(program, await _certainly(starting))
            raise
        finally:
            process = await _certainly(starting)
            _end_group(process.pid)
            await _certainly(process.wait())
            await _certainly(asyncio.wait({lines.ended}, timeout=1.0))
            lines.close()
            self.roster.remove(program.name)

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
        if not self.in_a_hurry:
            process.send_signal(program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), 0 if self.in_a_hurry else program.patience)
        except TimeoutError:
            self.console.say("footfall", f"{program.name} has not stopped: killing it")
            self.killed.append(program.name)

    def _relay(self, program: Program) -> Callable[[str], None]:
        def relay(line: str) -> None:
            if line and not (program.noise and program.noise.match(line)):
                self.console.say(program.name, line)

        return relay


class Lines(asyncio.Protocol):
    """Cuts what comes out of a pipe into lines; `ended` is done after the last one."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.hear = hear
        self.rest = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def close(self) -> None:
        """Hear no more; nothing is left open."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LONGEST_LINE:
            lines, self.rest = [*lines, self.rest], b""
        for line in lines:
            self.hear(line.decode(errors="replace").rstrip())

    def connection_lost(self, error: Exception | None) -> None:
        if self.rest:
            self.hear(self.rest.decode(errors="replace"))
        self.ended.set_result(None)


async def _certainly(soon_done: Awaitable[T]) -> T:
    """Wait for something that will not take long, however often this task is cancelled."""
    future = asyncio.ensure_future(soon_done)
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(future)
    return future.result()


def ending(status: int) -> str:
    """Say in words how a process with this status came to its end."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"


def _end_group(pid: int) -> None:
    """Kill what a dead program left in its group: its workers would go on to hold the port."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
