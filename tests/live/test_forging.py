"""What a client could try on the wire: nothing is counted that was not asked for in full."""

import socket
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress

import pytest

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from tests.live.fixtures import Manage

Counters = Callable[[], list[int]]
Gained = Callable[[], set[int]]
ASKED = b"GET /api/v1/pages/1/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = ASKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def send(service: Copy, data: bytes) -> bytes:
    """Return all that is answered until the server closes the connection, or says nothing more."""
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=10)) as connection:
        connection.sendall(data)
        received = b""
        with suppress(TimeoutError):
            while part := connection.recv(65536):
                received += part
                connection.settimeout(2)
    return received


@pytest.fixture
def gained(counters: Counters, manage: Manage) -> Gained:
    """Returns what the contents of the page have gained since then."""
    manage("counters", "flush")
    before = counters()

    def gained() -> set[int]:
        manage("counters", "flush")
        return {now - then for now, then in zip(counters(), before, strict=True)}

    return gained


def test_requests_sent_in_one_go_are_as_many_views(service: Copy, gained: Gained) -> None:
    answers = send(service, ASKED * 4 + LAST)
    assert answers.count(b"HTTP/1.1 200") == 5
    assert gained() == {5}


def test_a_request_that_never_ends_is_no_view(service: Copy, gained: Gained) -> None:
    for part in (ASKED[:-2], ASKED[:20], b"GET /api/v1/pages/1/"):
        with closing(socket.create_connection(("127.0.0.1", service.port))) as connection:
            connection.sendall(part)
    assert gained() == {0}


def test_two_lengths_smuggle_no_second_request(service: Copy, gained: Gained) -> None:
    """What one server takes for a body, another would take for a request."""
    body = b"0\r\n\r\n" + LAST
    head = b"POST /api/v1/pages/1/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    lengths = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body)
    answer = send(service, head + lengths + body)
    assert b"HTTP/1.1 200" not in answer
    assert gained() == {0}


def test_headers_without_end_are_refused(service: Copy) -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(1000))
    answer = b""
    try:
        answer = send(service, ASKED[:-2] + many + b"\r\n")
    except OSError:  # it was closed while we were writing still
        return
    assert b"HTTP/1.1 200" not in answer


def test_an_encoding_that_is_none_of_texts_breaks_nothing(service: Copy) -> None:
    asked = LAST.replace(b"/pages/1/", b"/pages/?search=%41")
    header = b"Content-Type: text/plain; charset=rot13\r\n\r\n"
    assert b"HTTP/1.1 200" in send(service, asked.replace(b"\r\n\r\n", b"\r\n" + header))


def test_clients_that_take_their_time_over_a_body_keep_no_reader_waiting(service: Copy) -> None:
    begun = (
        b"POST /api/v1/auth/token/login/ HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    with ExitStack() as stack:
        for _ in range(40):  # there are 16 threads
            client = socket.create_connection(("127.0.0.1", service.port))
            stack.enter_context(closing(client))
            client.sendall(begun)
        wait_until(lambda: login(service) == 503, 10)
        for _ in range(10):
            assert service.get("/api/v1/pages/1/")[0] == 200
    wait_until(lambda: login(service) == 400, 10)


def login(service: Copy) -> int:
    body = b'{"username": "nobody", "password": "wrong"}'
    head = LAST.replace(b"GET /api/v1/pages/1/", b"POST /api/v1/auth/token/login/")
    kind = b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = send(service, head.replace(b"\r\n\r\n", kind) + body)
    return int(answer.split(b" ", 2)[1])
