"""The foreground program of `make run`: starts the programs in order, and stops them in reverse."""

import asyncio
import contextlib
import http.client
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from standalone import addresses, service
from standalone.configuration import Configuration
from standalone.program import Program
from standalone.runner import Runner, ending
from standalone.stores import Postgres, Redis, Store

START_TIMEOUT = 60.0  # seconds for each; a database that was killed replays its log first
REPEATED_SIGNAL = 0.5  # seconds; `make` forwards a signal that its process group got already


class StartError(Exception):
    """The service could not be started. The text says which part failed."""


class Supervisor:
    """Runs one copy of the service until a signal."""

    def __init__(self, configuration: Configuration, runner: Runner) -> None:
        self.configuration = configuration
        self.runner = runner
        self.stores: list[Store] = []
        self.tasks: list[asyncio.Task[object]] = []  # one per program, in the order of starting

    async def run(self) -> int:
        """Run until a signal; return the exit code: 1 if a program had to be killed, else 0."""
        self._stop_on_signals()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._start()
                await self._watch()
        finally:
            await self._stop()
        return 1 if self.runner.killed else 0

    def _stop_on_signals(self) -> None:
        """Let the first signal cancel `run`, and a later one kill the programs."""
        main = asyncio.current_task()
        stopping_since: float | None = None

        def on_signal() -> None:
            nonlocal stopping_since
            if stopping_since is None and main is not None:
                stopping_since = time.monotonic()
                self.say("stopping; a second signal kills what still runs")
                main.cancel()
            elif stopping_since is not None and time.monotonic() - stopping_since > REPEATED_SIGNAL:
                self.runner.kill_at_once = True
                for task in self.tasks:
                    task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                asyncio.get_running_loop().add_signal_handler(number, on_signal)

    async def _start(self) -> None:
        began = time.monotonic()
        self.say("starting (Ctrl-C stops)")
        environment = service.environment(
            self.configuration, os.environ, await self._start_stores()
        )
        administrator = await self._run_once(service.manage(environment, "firstadmin", "--migrate"))
        for program in service.programs(self.configuration, environment):
            self._keep_running(program)
        await self._wait_until(partial(_is_healthy, self.configuration.address), "The web server")
        self.say(f"ready after {time.monotonic() - began:.1f} s")
        self.runner.console.write_lines(
            "footfall", service.greeting(self.configuration, administrator)
        )

    async def _start_stores(self) -> dict[str, str]:
        """Start the stores that the environment does not name; return their variables."""
        data_dir = self.configuration.data_dir
        found = {}
        known: list[tuple[str, str, Store]] = [
            ("DATABASE_URL", addresses.DATABASE_URL, Postgres(data_dir / "postgres")),
            ("REDIS_URL", addresses.REDIS_URL, Redis(data_dir / "redis")),
        ]
        for variable, file, store in known:
            if not os.environ.get(variable):
                await asyncio.to_thread(store.prepare)
                self.stores.append(store)
                self._keep_running(store.program())
                found[variable] = addresses.write(data_dir, file, store.url)
        for store in self.stores:
            await self._wait_until(store.ready, store.name)
        return found

    async def _wait_until(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not await asyncio.to_thread(ready):
            if time.monotonic() > deadline:
                raise StartError(f"{what} is not ready after {START_TIMEOUT:g} s.")
            await asyncio.sleep(0.05)

    def _keep_running(self, program: Program) -> None:
        self.tasks.append(asyncio.create_task(self.runner.keep_running(program)))

    async def _run_once(self, program: Program) -> list[str]:
        """Run a program that has to succeed; return the lines of its output."""
        lines: list[str] = []
        task = asyncio.create_task(self.runner.run(program, lines.append))
        self.tasks.append(task)
        try:
            status = await task
        finally:
            self.tasks.remove(task)
        if status:
            self.runner.console.write_lines(program.name, lines)
            raise StartError(f"`manage.py {program.name}` {ending(status)}.")
        return lines

    async def _watch(self) -> None:
        """Wait until cancelled, or until an error of the supervisor itself."""
        done, _ = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _stop(self) -> None:
        for task in reversed(self.tasks):
            task.cancel()
            await asyncio.wait({task})
        for store in self.stores:
            store.clean_up()
        self.say("stopped")

    def say(self, text: str) -> None:
        self.runner.console.write("footfall", text)


def _is_healthy(address: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=2.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
