"""A running service, asked over HTTP what it has counted. Only `read` adds views."""

import json
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 30.0  # seconds that one answer may take
THREADS = 4  # that ask for counters


class Unusable(Exception):
    """The service does not answer as it should; the text says how."""


class Service:
    """The service at `host`, `http://127.0.0.1:8000`."""

    def __init__(self, host: str) -> None:
        parts = urlsplit(host if "//" in host else f"http://{host}")
        if parts.scheme != "http" or not parts.hostname:
            raise Unusable(f"{host!r} is not an address like http://127.0.0.1:8000")
        self.address = (parts.hostname, parts.port or 80)

    def get(self, path: str) -> Any:
        """Return the JSON at `path`; raise Unusable for anything but 200."""
        connection = HTTPConnection(*self.address, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise Unusable(f"GET {path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise Unusable(f"GET {path}: HTTP {answer.status}: {body[:200]!r}")
        return json.loads(body)

    def is_up(self) -> bool:
        try:
            self.get("/readyz")
        except Unusable:
            return False
        return True

    def pages(self, most: int) -> list[int]:
        """Return the ids of up to `most` pages, the first ones of the list."""
        found: list[int] = []
        number = 1
        while len(found) < most:
            listed = self.get(f"/api/v1/pages/?page={number}&page_size=100")
            found += [page["id"] for page in listed["results"]]
            number += 1
            if not listed["next"]:
                break
        return found[:most]

    def read(self, pages: Iterable[int]) -> dict[int, list[int]]:
        """Return the contents on each page. This is a view of each of them."""
        return {
            page: [one["id"] for one in self.get(f"/api/v1/pages/{page}/")["contents"]]
            for page in pages
        }

    def pending(self, content: int) -> int | None:
        """Return how many events wait to be counted; None while that is not known."""
        waiting: int | None = self.get(f"/api/v1/contents/{content}/views/")["pending"]
        return waiting

    def wait_counted(self, content: int, seconds: float = 120.0) -> None:
        """Return once nothing waits to be counted; raise Unusable if that does not come."""
        deadline = time.monotonic() + seconds
        while (pending := self.pending(content)) != 0:
            if time.monotonic() > deadline:
                raise Unusable(f"{pending} events wait to be counted, after {seconds:g} s")
            time.sleep(0.2)

    def totals(self, contents: Collection[int]) -> dict[int, int]:
        """Return each content's views, as the database has them."""
        with ThreadPoolExecutor(THREADS) as threads:
            answers = threads.map(
                lambda content: self.get(f"/api/v1/contents/{content}/views/")["total"], contents
            )
            return dict(zip(contents, answers, strict=True))
