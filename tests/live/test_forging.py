"""What a client could try on the wire: nothing is counted that was not asked for in full."""

import socket
from collections.abc import Callable
from contextlib import closing

from tests.live.conftest import Manage
from tests.standalone.test_make_run import Copy

Counters = Callable[[], list[int]]
ASKED = b"GET /api/v1/pages/1/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = ASKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def send(service: Copy, data: bytes) -> bytes:
    """Return all that is answered until the server closes the connection."""
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=10)) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def gained(counters: Counters, manage: Manage, before: list[int]) -> set[int]:
    manage("counters", "flush")
    return {now - then for now, then in zip(counters(), before, strict=True)}


def test_requests_sent_in_one_go_are_as_many_views(
    service: Copy, counters: Counters, manage: Manage
) -> None:
    before = counters()
    answers = send(service, ASKED * 4 + LAST)
    assert answers.count(b"HTTP/1.1 200") == 5
    assert gained(counters, manage, before) == {5}


def test_a_request_that_never_ends_is_no_view(
    service: Copy, counters: Counters, manage: Manage
) -> None:
    before = counters()
    for part in (ASKED[:-2], ASKED[:20], b"GET /api/v1/pages/1/"):
        with closing(socket.create_connection(("127.0.0.1", service.port))) as connection:
            connection.sendall(part)
    assert gained(counters, manage, before) == {0}


def test_two_lengths_smuggle_no_second_request(
    service: Copy, counters: Counters, manage: Manage
) -> None:
    """What one server takes for a body, another would take for a request."""
    before = counters()
    body = b"0\r\n\r\n" + LAST
    head = b"POST /api/v1/pages/1/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    lengths = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body)
    answer = send(service, head + lengths + body)
    assert b"HTTP/1.1 200" not in answer
    assert gained(counters, manage, before) == {0}


def test_headers_without_end_are_refused(service: Copy) -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(1000))
    answer = b""
    try:
        answer = send(service, ASKED[:-2] + many + b"\r\n")
    except OSError:  # it was closed while we were writing still
        return
    assert b"HTTP/1.1 200" not in answer
