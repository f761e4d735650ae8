"""Clients that hold connections, and do as little as they can on each."""

import asyncio
import resource
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType

from loadtest.common.waiting import wait_until

Behaviour = Callable[["Connection"], Awaitable[None]]


class Connection:
    """One connection of an attacker. A small buffer lets the server notice how slowly it reads."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self, size: int) -> bytes:
        """Return up to `size` bytes; raise ConnectionResetError once the server has closed it."""
        data = await asyncio.get_running_loop().sock_recv(self.socket, size)
        if not data:
            raise ConnectionResetError
        return data


class Attackers:
    """`count` clients that connect again whenever they are thrown out, until the context ends."""

    def __init__(self, port: int, count: int, behave: Behaviour) -> None:
        self._port = port
        self._count = count
        self._behave = behave
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self.connected = 0
        """How often a connection was made; more than there are clients once some are closed."""

    def __enter__(self) -> "Attackers":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._thread.start()
        wait_until(lambda: self.connected >= self._count, 60)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._all.cancel)
        self._thread.join()

    def _run(self) -> None:
        self._all = self._loop.create_task(self._attack())
        try:
            self._loop.run_until_complete(self._all)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _attack(self) -> None:
        await asyncio.gather(*(self._one(number) for number in range(self._count)))

    async def _one(self, number: int) -> None:
        await asyncio.sleep(number / 5000)
        while True:
            connection = Connection()
            try:
                await asyncio.get_running_loop().sock_connect(
                    connection.socket, ("127.0.0.1", self._port)
                )
                self.connected += 1
                await self._behave(connection)
            except OSError:
                await asyncio.sleep(0.05)
            finally:
                connection.socket.close()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def say_nothing(connection: Connection) -> None:
    await connection.receive(1)


async def send_a_byte_every_5_seconds(connection: Connection) -> None:
    for byte in get("/api/v1/pages/1/")[:-2] + b"X-Header: " + b"x" * 1000:
        await connection.send(bytes([byte]))
        await asyncio.sleep(5)


async def ask_once(connection: Connection) -> None:
    """Ask for what is answered without a store, and leave the connection open."""
    await connection.send(get("/healthz"))
    while True:
        await connection.receive(65536)


class ReadSlowly:
    """Asks for `path`, and reads 1,000 bytes of the answer per second."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.answers: Counter[int] = Counter()
        """By status."""

    async def __call__(self, connection: Connection) -> None:
        await connection.send(get(self.path))
        status = (await connection.receive(12)).split()[1]
        self.answers[int(status)] += 1
        while True:
            await asyncio.sleep(1)
            await connection.receive(1000)


class ReadNothing:
    """Asks for `path` many times at once, and reads none of the answers."""

    def __init__(self, path: str, times: int) -> None:
        self.path = path
        self.times = times

    async def __call__(self, connection: Connection) -> None:
        await connection.send(get(self.path) * self.times)
        await asyncio.Event().wait()
