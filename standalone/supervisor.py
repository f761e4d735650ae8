"""The foreground program of `make run`: starts everything in order, and stops it in reverse."""

import asyncio
import contextlib
import http.client
import os
import signal
import time
from urllib.parse import urlsplit

from standalone import addresses, service
from standalone.configuration import Configuration
from standalone.program import Program
from standalone.runner import Runner, ending
from standalone.stores import Postgres, Redis, Store

STORE_TIMEOUT = 60.0  # seconds; a database that was killed replays its log first
WEB_TIMEOUT = 60.0
ECHO = 0.5  # seconds; make passes a signal on that its whole group, and so we, got already


class StartError(Exception):
    """The service could not be started; the text says which part failed."""


class Supervisor:
    """Runs one copy of the service until it is told to stop."""

    def __init__(self, configuration: Configuration, runner: Runner) -> None:
        self.configuration = configuration
        self.runner = runner
        self.stores: list[Store] = []
        self.tasks: list[asyncio.Task[object]] = []  # one per program, in the order of starting

    async def run(self) -> int:
        """Run until a signal says stop; return the exit code: 0 when nothing had to be killed."""
        self._stop_on_signals()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._start()
                await self._watch()
        finally:
            await self._stop()
        return 1 if self.runner.killed else 0

    def _stop_on_signals(self) -> None:
        """Let the first signal cancel `run`, and a later one kill what still runs."""
        main = asyncio.current_task()
        stopping_since: float | None = None

        def on_signal() -> None:
            nonlocal stopping_since
            if stopping_since is None and main is not None:
                stopping_since = time.monotonic()
                self.say("stopping; a second signal kills what still runs")
                main.cancel()
            elif stopping_since is not None and time.monotonic() - stopping_since > ECHO:
                self.runner.in_a_hurry = True
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
        await self._once(service.once(environment, "migrate", "--no-input", "--verbosity", "0"))
        administrator = await self._once(service.once(environment, "firstadmin"))
        for program in service.programs(self.configuration, environment):
            self._keep_running(program)
        await self._web_answers()
        self.say(f"ready after {time.monotonic() - began:.1f} s")
        self.runner.console.say_all(
            "footfall", service.what_to_try(self.configuration, administrator)
        )

    async def _start_stores(self) -> dict[str, str]:
        """Start the stores that the environment does not name; return their addresses."""
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
                found[variable] = addresses.remember(data_dir, file, store.url)
        for store in self.stores:
            await self._store_answers(store)
        return found

    async def _store_answers(self, store: Store) -> None:
        deadline = time.monotonic() + STORE_TIMEOUT
        while not await asyncio.to_thread(store.ready):
            if time.monotonic() > deadline:
                raise StartError(f"{store.name} is not ready after {STORE_TIMEOUT:g} s.")
            await asyncio.sleep(0.05)

    async def _web_answers(self) -> None:
        deadline = time.monotonic() + WEB_TIMEOUT
        while not await asyncio.to_thread(_is_healthy, self.configuration.address):
            if time.monotonic() > deadline:
                raise StartError(f"The web server is not healthy after {WEB_TIMEOUT:g} s.")
            await asyncio.sleep(0.1)

    def _keep_running(self, program: Program) -> None:
        self.tasks.append(asyncio.create_task(self.runner.keep_running(program)))

    async def _once(self, program: Program) -> list[str]:
        """Run a program that has to succeed; return its lines."""
        lines: list[str] = []
        task = asyncio.create_task(self.runner.run(program, lines.append))
        self.tasks.append(task)
        try:
            status = await task
        finally:
            self.tasks.remove(task)
        if status:
            self.runner.console.say_all(program.name, lines)
            raise StartError(f"`manage.py {program.name}` {ending(status)}.")
        return lines

    async def _watch(self) -> None:
        """Wait for ever, or for a fault of the supervisor itself."""
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
        self.runner.console.say("footfall", text)


def _is_healthy(address: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=2.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
