"""The readers of pages of the bench and of `make faults`, and the ledger of their answers.

It uses plain sockets, one `epoll`, and no more parsing than needed: about 20 microseconds of one
core per request, a tenth of what the usual clients take. Server and load share the machine, and the
faster the server, the more of its time the load takes.
"""

import selectors
import socket
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

LAST_CHUNK = b"\r\n0\r\n\r\n"
LONGEST_PAUSE = 0.5  # seconds between two checks whether the time is over
REFUSED_PAUSE = 0.1  # seconds until a refused connection is tried again
MOST_LATE = 0.1  # seconds of delay that are made up for when there is a rate
GOOD = (b"200", b"202")  # of pages that were read, and of views that were reported
ANSWER_SECONDS = 10.0  # seconds that an answer may take; then the connection counts as broken


@dataclass
class Ledger:
    """What was sent and answered, by page or key: the counters are compared with it."""

    attempted: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Ledger") -> None:
        self.attempted.update(other.attempted)
        self.answered.update(other.answered)


@dataclass
class Run:
    """The results of one load."""

    ledger: Ledger = field(default_factory=Ledger)
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    """Seconds, of each request that was answered with 200."""
    moments: "array[float]" = field(default_factory=lambda: array("d"))
    """When each of these answers was there, by the monotonic clock."""
    errors: Counter[str] = field(default_factory=Counter)
    """Other answers by their status, and broken connections."""
    refused: int = 0
    """Connections that could not be made: nothing was sent."""
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """All requests without an answer with 200."""
        return self.errors.total() + self.refused

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
        """Connect. Raises OSError; then it is not open."""
        self.socket = socket.create_connection(self.address, timeout=ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_open = True

    def close(self) -> None:
        self.socket.close()
        self.is_open = False

    def send(self, page: int, request: bytes) -> None:
        self.page = page
        self.received = b""
        self.expected = 0
        self.sent_at = time.monotonic()
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

    Reads `pages` in turn, over and over, for `seconds`, up to `most` requests, or until `stop`.
    `rate` (per second) holds them back to that many; what a slow server has kept back is not made
    up for. None is as fast as the server can. A connection that breaks is replaced; while that is
    refused, it is tried again. Raises OSError if it is refused at the beginning.

    requests: byte for byte, by what stands in `pages` and in the ledger: else plain reads of pages.
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
        requests: Mapping[int, bytes] | None = None,
    ) -> None:
        self.pages = pages
        self.seconds = seconds
        self.most = most or 2**62
        self.rate = rate
        self.due = 0.0  # when the next request may be sent, by the monotonic clock
        self.stopped = threading.Event()
        self.requests = requests or {page: request(address, page) for page in set(pages)}
        self.sent = 0
        self.outcome = Run()
        self.idle = [Connection(address) for _ in range(connections)]
        self.busy: set[Connection] = set()
        self.selector = selectors.DefaultSelector()
        for connection in self.idle:
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)

    def run(self) -> Run:
        """Carry it out, once."""
        started = now = self.due = time.monotonic()
        end, look = started + self.seconds, started + LONGEST_PAUSE
        try:
            while self.busy or (now < end and self.sent < self.most):
                if now < end:
                    self.send_due(now)
                self.receive(self.pause(now))
                now = time.monotonic()
                if now > look:
                    self.give_up_late(now)
                    look = now + LONGEST_PAUSE
                    end = now if self.stopped.is_set() else end
        finally:
            for connection in [*self.idle, *self.busy]:
                connection.close()
            self.selector.close()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def stop(self) -> None:
        """Let another thread's `run` send no more, and return when the last answers are there."""
        self.stopped.set()

    def send_due(self, now: float) -> None:
        """Send on every idle connection, as far as the rate allows."""
        while self.idle and self.sent < self.most and self.due <= now:
            connection = self.idle.pop()
            if not (connection.is_open or self.opened(connection)):
                self.idle.insert(0, connection)
                self.due = now + REFUSED_PAUSE
                return
            if self.rate is not None:
                self.due = max(self.due, now - MOST_LATE) + 1 / self.rate
            self.send(connection)

    def send(self, connection: Connection) -> None:
        self.busy.add(connection)
        page = self.pages[self.sent % len(self.pages)]
        self.sent += 1
        self.outcome.ledger.attempted[page] += 1
        try:
            connection.send(page, self.requests[page])
        except OSError as error:
            self.replace(connection, error)

    def pause(self, now: float) -> float:
        """Return how long there is nothing to send, in seconds."""
        if not self.idle:
            return LONGEST_PAUSE
        return min(LONGEST_PAUSE, max(0.0, self.due - now))

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
        if status in GOOD:
            now = time.monotonic()
            self.outcome.latencies.append(now - connection.sent_at)
            self.outcome.moments.append(now)
            self.outcome.ledger.answered[connection.page] += 1
        else:
            self.outcome.errors[status.decode(errors="replace")] += 1

    def give_up_late(self, now: float) -> None:
        for connection in [one for one in self.busy if now - one.sent_at > ANSWER_SECONDS]:
            self.replace(connection, TimeoutError("no answer"))

    def replace(self, connection: Connection, error: OSError) -> None:
        """Open a broken connection anew, and count the error if an answer was waited for on it."""
        self.selector.unregister(connection.socket)
        connection.close()
        self.opened(connection)
        if connection in self.busy:
            self.outcome.errors[type(error).__name__] += 1
            self.busy.discard(connection)
            self.idle.append(connection)

    def opened(self, connection: Connection) -> bool:
        """Open a connection; count it if that is refused."""
        try:
            connection.open()
        except OSError:
            self.outcome.refused += 1
            return False
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        return True


@contextmanager
def meanwhile(load: Load) -> Iterator[None]:
    """Carry a load out in a thread of its own until the end of the context."""
    with ThreadPoolExecutor(1, "load") as thread:
        running = thread.submit(load.run)
        try:
            yield
        finally:
            load.stop()
            running.result()


def request(address: tuple[str, int], page: int, headers: str = "") -> bytes:
    """Return the request for a page, byte for byte. headers: further lines."""
    host, port = address
    head = f"GET /api/v1/pages/{page}/ HTTP/1.1\r\nHost: {host}:{port}\r\n"
    return f"{head}{headers}Accept: application/json\r\n\r\n".encode()
