"""The load generator, against a small real server."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from loadtest.common.client import Load, Run, length_of_body, meanwhile
from loadtest.common.waiting import wait_until

SLOW = 50
BODY = b"x" * 200_000  # arrives in several pieces


class Handler(BaseHTTPRequestHandler):
    """Answers page 404 with that status, is slow at 50; the rest has a body.

    Hangs up instead of an answer at 13, and after the answer from 60 on.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # as the base class names it
        page = int(self.path.split("/")[4])
        if page == 13:
            self.close_connection = True
            return
        if page == SLOW:
            time.sleep(0.5)
        self.close_connection = 60 <= page < 70
        self.send_response(404 if page == 404 else 200)
        if page == 20:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(port: int = 0) -> Iterator[tuple[str, int]]:
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield ("127.0.0.1", server.server_port)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def read() -> Iterator[Callable[..., Run]]:
    with serving() as address:

        def run(pages: list[int], seconds: float = 10.0, **options: object) -> Run:
            return Load(address, pages, seconds, connections=4, **options).run()  # type: ignore[arg-type]

        yield run


def test_every_answer_is_in_the_ledger(read: Callable[..., Run]) -> None:
    run = read([1, 2, 3], most=30)

    assert run.ledger.attempted == run.ledger.answered == {1: 10, 2: 10, 3: 10}
    assert len(run.latencies) == 30
    assert not run.errors


def test_another_status_is_an_error_and_no_answer(read: Callable[..., Run]) -> None:
    run = read([1, 404], most=10)

    assert run.errors == {"404": 5}
    assert run.ledger.attempted == {1: 5, 404: 5}
    assert run.ledger.answered == {1: 5}


def test_a_broken_connection_is_replaced_and_its_view_stays_open(read: Callable[..., Run]) -> None:
    run = read([1, 13], most=10)

    assert run.errors == {"ConnectionError": 5}
    assert run.ledger.attempted[13] == 5
    assert run.ledger.answered == {1: 5}


def test_a_connection_that_ends_between_two_requests_mixes_no_answers_up(
    read: Callable[..., Run],
) -> None:
    run = read([60, 61, 62, 63, 64], most=50, rate=200.0)

    assert run.ledger.attempted == dict.fromkeys(range(60, 65), 10)
    assert all(run.ledger.answered[page] <= 10 for page in range(60, 65))
    assert run.ledger.answered.total() + run.failed == 50


def test_an_answer_in_chunks_is_read_to_its_end(read: Callable[..., Run]) -> None:
    assert read([20, 1], most=10).ledger.answered == {1: 5, 20: 5}


def test_a_rate_holds_the_requests_back(read: Callable[..., Run]) -> None:
    run = read([1], seconds=0.5, rate=40.0)

    assert 1 <= len(run.latencies) <= 21


def test_time_ends_a_load(read: Callable[..., Run]) -> None:
    run = read([1], seconds=0.1)

    assert run.ledger.answered[1] == run.ledger.attempted[1] > 0


def test_the_length_of_an_answer_is_found_however_it_is_written() -> None:
    assert length_of_body(b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: 12\r\nvary: accept") == 12


def test_an_answer_in_chunks_has_no_length() -> None:
    assert length_of_body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked") is None


def test_an_answer_that_ends_with_its_connection_is_refused() -> None:
    with pytest.raises(ConnectionError):
        length_of_body(b"HTTP/1.0 200 OK\r\ndate: today")


def test_a_load_in_the_background_ends_when_it_is_told() -> None:
    with serving() as address:
        load = Load(address, [1], math.inf, connections=2)
        with meanwhile(load):
            wait_until(lambda: len(load.outcome.latencies) > 10, 10)

    outcome = load.outcome
    assert outcome.ledger.attempted == outcome.ledger.answered
    assert list(outcome.moments) == sorted(outcome.moments)
    assert outcome.failed == 0


def test_a_server_that_was_away_is_read_again_and_nothing_was_sent_meanwhile() -> None:
    with ExitStack() as stack:
        with serving() as address:
            load = Load(address, [1, 13], math.inf, connections=2)
            stack.enter_context(meanwhile(load))
            wait_until(lambda: len(load.outcome.latencies) > 10, 10)
        wait_until(lambda: load.outcome.refused > 2, 10)
        before = len(load.outcome.latencies)
        stack.enter_context(serving(address[1]))
        wait_until(lambda: len(load.outcome.latencies) > before + 10, 10)
        load.stop()

    run = load.outcome
    answered, broken = run.ledger.answered.total(), run.errors.total()
    assert run.ledger.attempted.total() == answered + broken


def test_what_a_slow_server_kept_back_is_not_made_up_for() -> None:
    with serving() as address:
        run = Load(address, [SLOW, *[1] * 99], 1.5, connections=1, rate=20.0).run()

    assert len(run.latencies) <= 25  # 30 at that rate, had it kept up
