"""Clients that read pages for as long as they are let, and keep books about it."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

PATIENCE = 10.0  # seconds that an answer may take; then its connection is broken
HOT = 0.3  # share of the reads that are of the first page


@dataclass
class Books:
    """What was sent and what was answered, by page."""

    attempted: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    """With 200, to the last byte."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of every attempt; "broken" for a connection that broke before the answer was whole."""
    refused: int = 0
    """Connections that could not be made: nothing was sent."""
    good: list[tuple[float, float]] = field(default_factory=list)
    """Of each answer with 200: when it came, by the monotonic clock, and the seconds it took."""

    def add(self, other: "Books") -> None:
        self.attempted.update(other.attempted)
        self.answered.update(other.answered)
        self.statuses.update(other.statuses)
        self.refused += other.refused
        self.good += other.good


class Client(threading.Thread):
    """Reads one page after the other, on one connection as long as it lasts."""

    def __init__(self, port: int, pages: Sequence[int], pause: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.books = Books()
        self._pages = pages
        self._pause = pause
        self._dice = random.Random(seed)
        self._ended = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def run(self) -> None:
        while not self._ended.wait(self._dice.uniform(0, 2 * self._pause)):
            if self._connect():
                self._read(self._choose())
            else:
                self.books.refused += 1
                self._ended.wait(0.1)
        self._connection.close()

    def end(self) -> None:
        """Let it finish its request, and no other."""
        self._ended.set()

    def _choose(self) -> int:
        return self._pages[0] if self._dice.random() < HOT else self._dice.choice(self._pages)

    def _connect(self) -> bool:
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError:
                self._connection.close()
                return False
        return True

    def _read(self, page: int) -> None:
        books = self.books
        books.attempted[page] += 1
        began = time.monotonic()
        try:
            self._connection.request("GET", f"/api/v1/pages/{page}/")
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            books.statuses["broken"] += 1
            self._connection.close()
            return
        now = time.monotonic()
        books.statuses[str(answer.status)] += 1
        if answer.status == http.HTTPStatus.OK:
            books.answered[page] += 1
            books.good.append((now, now - began))


class Clients:
    """Some clients at once, until the end of the `with`."""

    def __init__(self, port: int, pages: Sequence[int], *, number: int, pause: float, seed: int):
        self._clients = [Client(port, pages, pause, seed + n) for n in range(number)]

    def __enter__(self) -> "Clients":
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._clients:
            client.end()
        for client in self._clients:
            client.join(2 * PATIENCE)

    def books(self) -> Books:
        """Return the books of all of them, once they have ended."""
        books = Books()
        for client in self._clients:
            books.add(client.books)
        books.good.sort()
        return books
