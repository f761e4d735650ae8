"""Many clients that read one page, and what they were answered."""

import http.client
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

CLIENTS = 16


class Readers:
    """Reads `path` with 16 clients at once, each on one connection as long as it lasts."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._threads = ThreadPoolExecutor(CLIENTS)
        self.answers: Counter[int] = Counter()
        """By status; 0 is a connection that broke before the answer."""
        self.slowest = 0.0
        """Seconds that one of them took."""

    def read(self, requests: int) -> None:
        """Send that many requests in all, and wait for their answers."""
        shares = [requests // CLIENTS + (n < requests % CLIENTS) for n in range(CLIENTS)]
        for answers in self._threads.map(self._read_one_after_another, shares):
            self.answers += answers

    def _read_one_after_another(self, requests: int) -> "Counter[int]":
        answers: Counter[int] = Counter()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        for _ in range(requests):
            began = time.monotonic()
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                answers[response.status] += 1
            except (OSError, http.client.HTTPException):
                answers[0] += 1
                connection.close()
            self.slowest = max(self.slowest, time.monotonic() - began)
        connection.close()
        return answers
