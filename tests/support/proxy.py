"""A proxy in front of Redis that swallows, delays and cuts. It answers on loopback."""

import socket
import threading
import time
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Fault(Enum):
    """What happens to the next request, and to every one after it, while it is set."""

    NONE = "passed on"
    SWALLOW = "passed on, and its reply swallowed"
    CUT_BEFORE = "the connection cut, the request lost"
    CUT_AFTER = "passed on, and the connection cut before the reply"
    HOLD = "held back until release(), then passed on; nobody gets a reply"
    DELAY = "passed on, and its reply `delay` seconds late"


class Proxy:
    """`with Proxy(redis_url) as proxy:` connect to `proxy.url`, then set `proxy.fault`."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.fault = Fault.NONE
        self.delay = 0.0
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._mute: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        parts = urlsplit(self._upstream)
        credentials, at, _host = parts.netloc.rpartition("@")
        database = "" if parts.scheme == "unix" else parts.path
        return f"redis://{credentials}{at}127.0.0.1:{self._listener.getsockname()[1]}{database}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            self._cut(one)
        for thread in self._threads:
            thread.join(5)

    def hold(self) -> None:
        """Hold back, from now on, also after a release()."""
        self._released.clear()
        self.fault = Fault.HOLD

    def release(self) -> None:
        """Pass on what is held back."""
        self._released.set()

    def cut_mute(self) -> None:
        """Cut the connections of which a reply was swallowed: nothing comes over them any more."""
        for client in list(self._mute):
            self._cut(client)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                self._open |= {client, server}
                self._start(self._requests, client, server)
                self._start(self._replies, client, server)

    def _connect(self) -> socket.socket:
        parts = urlsplit(self._upstream)
        if parts.scheme == "unix":
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(parts.path)
            except OSError:
                server.close()
                raise
            return server
        return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379))

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.fault is Fault.CUT_BEFORE:
                    break
                if self.fault is Fault.HOLD:
                    self._released.wait()
                server.sendall(data)
        self._cut(client)
        if self.fault is not Fault.CUT_AFTER:
            self._cut(server)

    def _replies(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.fault is Fault.CUT_AFTER:
                    break
                if self.fault is Fault.DELAY:
                    time.sleep(self.delay)
                if self.fault in (Fault.SWALLOW, Fault.HOLD):
                    self._mute.add(client)  # a later reply would be taken for this one
                if client not in self._mute:
                    client.sendall(data)
        self._cut(client)

    def _cut(self, one: socket.socket) -> None:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
        self._open.discard(one)
        self._mute.discard(one)
