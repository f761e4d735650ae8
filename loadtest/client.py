"""A load generator that is no bottleneck: sockets, one `epoll`, and no more parsing than needed.

About 20 microseconds per request of one core, a tenth of what the usual clients take: server and
load share the machine, and what the load takes is missing to the fast server most.
"""

import selectors
import socket
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

LAST_CHUNK = b"\r\n0\r\n\r\n"
LONGEST_PAUSE = 0.5  # seconds until it is looked whether the time is over
PATIENCE = 10.0  # seconds that an answer may take; then the connection counts as broken


@dataclass
class Ledger:
    """What was sent and what was answered, by page: what the counters are held against."""

    attempted: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Ledger") -> None:
        self.attempted.update(other.attempted)
        self.answered.update(other.answered)


@dataclass
class Run:
    """What came of one load."""

    ledger: Ledger = field(default_factory=Ledger)
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    """Seconds, of each request that was answered with 200."""
    errors: Counter[str] = field(default_factory=Counter)
    """Other answers by their status, and broken connections."""
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers with 200 per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


class Connection:
    """One keep-alive connection, with one request in flight at most."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.page = 0
        self.sent_at = 0.0
        self.received = b""
        self.expected = 0  # bytes of the answer, as soon as its head is known
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, page: int, request: bytes) -> None:
        self.page = page
        self.received = b""
        self.expected = 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes:
        """Read what is there; return the whole answer once it is, else nothing.

        Raises ConnectionError when the server hangs up in the middle.
        """
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("closed by the server")
        self.received = self.received + chunk if self.received else chunk
        if not self.expected:
            head = self.received.find(b"\r\n\r\n")
            if head < 0:
                return b""
            length = length_of_body(self.received[:head])
            if length is None:
                return self.received if self.received.endswith(LAST_CHUNK) else b""
            self.expected = head + 4 + length
        return self.received if len(self.received) >= self.expected else b""


def length_of_body(head: bytes) -> int | None:
    """Return the Content-Length that the head of an answer names; None if it comes in chunks.

    Raises ConnectionError for an answer that only ends with its connection.
    """
    lines = head.lower()
    start = lines.find(b"\r\ncontent-length:")
    if start < 0 and b"\r\ntransfer-encoding: chunked" in lines:
        return None
    if start < 0:
        raise ConnectionError("an answer without a Content-Length")
    return int(lines[start + 17 :].split(b"\r\n", 1)[0])


class Load:
    """One load: requests on keep-alive connections, each its next one as soon as it has an answer.

    Reads `pages` in turn, over and over, for `seconds` or up to `most` requests. `rate` (per
    second) holds them back to that many; None is as fast as the server can.
    """

    def __init__(
        self,
        address: tuple[str, int],
        pages: Sequence[int],
        seconds: float,
        *,
        connections: int = 16,
        most: int | None = None,
        rate: float | None = None,
    ) -> None:
        self.pages = pages
        self.seconds = seconds
        self.most = most or 2**62
        self.rate = rate
        self.requests = {page: request(address, page) for page in set(pages)}
        self.sent = 0
        self.outcome = Run()
        self.idle = [Connection(address) for _ in range(connections)]
        self.busy: set[Connection] = set()
        self.selector = selectors.DefaultSelector()
        for connection in self.idle:
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)

    def run(self) -> Run:
        """Carry it out, once."""
        started = now = time.perf_counter()
        end = started + self.seconds
        try:
            while self.busy or (now < end and self.sent < self.most):
                if now < end:
                    self.send_due(now - started)
                self.receive(self.pause(now - started))
                now = time.perf_counter()
                if now > end:
                    self.give_up_late(now)
        finally:
            for connection in [*self.idle, *self.busy]:
                connection.socket.close()
            self.selector.close()
        self.outcome.seconds = time.perf_counter() - started
        return self.outcome

    def send_due(self, elapsed: float) -> None:
        """Send on every idle connection, as far as the rate allows."""
        allowed = self.most
        if self.rate is not None:
            allowed = min(allowed, int(elapsed * self.rate) + 1)
        while self.idle and self.sent < allowed:
            connection = self.idle.pop()
            self.busy.add(connection)
            page = self.pages[self.sent % len(self.pages)]
            self.sent += 1
            self.outcome.ledger.attempted[page] += 1
            try:
                connection.send(page, self.requests[page])
            except OSError as error:
                self.replace(connection, error)

    def pause(self, elapsed: float) -> float:
        """Return how long there is nothing to send, in seconds."""
        if self.rate is None or not self.idle:
            return LONGEST_PAUSE
        return min(LONGEST_PAUSE, max(0.0, self.sent / self.rate - elapsed))

    def receive(self, pause: float) -> None:
        for key, _ in self.selector.select(pause):
            connection: Connection = key.data
            try:
                answer = connection.receive()
            except OSError as error:
                self.replace(connection, error)
                continue
            if answer:
                self.note(connection, answer)
                self.busy.discard(connection)
                self.idle.append(connection)

    def note(self, connection: Connection, answer: bytes) -> None:
        status = answer[9:12]
        if status == b"200":
            self.outcome.latencies.append(time.perf_counter() - connection.sent_at)
            self.outcome.ledger.answered[connection.page] += 1
        else:
            self.outcome.errors[status.decode(errors="replace")] += 1

    def give_up_late(self, now: float) -> None:
        for connection in [one for one in self.busy if now - one.sent_at > PATIENCE]:
            self.replace(connection, TimeoutError("no answer"))

    def replace(self, connection: Connection, error: OSError) -> None:
        """Count the error, and put a fresh connection in the broken one's place."""
        self.outcome.errors[type(error).__name__] += 1
        self.selector.unregister(connection.socket)
        connection.socket.close()
        connection.open()
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        self.busy.discard(connection)
        self.idle.append(connection)


def request(address: tuple[str, int], page: int) -> bytes:
    """Return the request for a page, byte for byte."""
    host, port = address
    head = f"GET /api/v1/pages/{page}/ HTTP/1.1\r\nHost: {host}:{port}\r\n"
    return f"{head}Accept: application/json\r\n\r\n".encode()
