"""A load run's account, against a small service that counts rightly, or not."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from loadtest.common.service import Service, Unusable
from loadtest.load.account import Account

ON_PAGES = {1: [10, 11], 2: [11]}


class Counting(ThreadingHTTPServer):
    """The few addresses that an account needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.views: Counter[int] = Counter()
        self.forgetful = False
        self.pending = 0

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_GET(self) -> None:  # as the base class names it
        parts = self.path.split("?")[0].strip("/").split("/")[2:]
        match parts:
            case ["pages"]:
                self.answer({"results": [{"id": page} for page in ON_PAGES], "next": None})
            case ["pages", page]:
                on_page = ON_PAGES[int(page)]
                if not self.server.forgetful:
                    self.server.views.update(on_page)
                self.answer({"contents": [{"id": content} for content in on_page]})
            case ["contents", content, "views"]:
                pending, self.server.pending = self.server.pending, 0
                self.answer({"total": self.server.views[int(content)], "pending": pending})
            case _:
                self.send_error(503)

    def answer(self, found: Any) -> None:
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Counting]:
    with Counting() as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Counting]:
    with serving() as server:
        yield server


def read(account: Account, page: int) -> None:
    account.sent(page)
    account.service.read([page])
    account.answered(page)


def test_a_run_whose_views_are_all_counted_is_right(server: Counting) -> None:
    account = Account.open(server.host, most=10)
    for page in (1, 1, 2):
        read(account, page)

    verdict = account.close()

    assert verdict
    assert "lost 0, doubled 0. Every counter is right." in account.summary(verdict)


def test_a_service_that_forgets_views_fails_the_run(server: Counting) -> None:
    account = Account.open(server.host, most=10)
    server.forgetful = True
    read(account, 1)

    verdict = account.close()

    assert verdict.lost == 2
    assert "WRONG, for instance contents [10, 11]" in account.summary(verdict)


def test_views_of_before_the_run_are_not_its_own(server: Counting) -> None:
    server.views.update({10: 1_000, 11: 7})
    account = Account.open(server.host, most=10)
    read(account, 1)

    assert account.close()


def test_the_end_waits_for_what_is_not_counted_yet(server: Counting) -> None:
    account = Account.open(server.host, most=10)
    server.pending = 3

    assert account.close()
    assert server.pending == 0


def test_only_so_many_pages_are_read(server: Counting) -> None:
    assert Account.open(server.host, most=1).pages == [1]


def test_a_service_that_does_not_answer_is_said_to_be_unusable(server: Counting) -> None:
    service = Service(server.host)

    assert not service.is_up()
    with pytest.raises(Unusable, match="HTTP 503"):
        service.get("/readyz")


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(Unusable, match="is not an address like"):
        Service("ftp://example.com")
