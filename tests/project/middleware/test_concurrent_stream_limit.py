"""Long responses take a slot each; short ones do not."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from project.middleware.concurrent_stream_limit import (
    MAX_BUFFERED,
    ConcurrentStreamLimit,
    stream_slots,
)

pytestmark = pytest.mark.django_db  # whose connections are looked after when an answer is closed

LONG = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
STYLE = "/static/admin/css/base.css"


@pytest.fixture
def taken() -> Iterator[None]:
    """All slots are taken."""
    number = 0
    while stream_slots.acquire(blocking=False):
        number += 1
    yield
    for _ in range(number):
        stream_slots.release()


def answer(response: HttpResponseBase) -> Any:
    return ConcurrentStreamLimit(lambda request: response)(RequestFactory().get("/"))


@pytest.mark.usefixtures("taken")
def test_one_too_many_is_told_to_come_back(client: Client) -> None:
    response = client.get(LONG)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    expected = "Too many files are being downloaded. Try again in a moment."
    assert response.json() == {"detail": expected}


@pytest.mark.usefixtures("taken")
def test_a_short_one_is_sent_all_the_same(client: Client) -> None:
    response = client.get(STYLE)

    assert response.status_code == 200
    assert len(list(response)) == 1  # all of it: no thread waits for the client
    assert client.head(STYLE).headers["Content-Length"] == response.headers["Content-Length"]


@pytest.mark.usefixtures("taken")
def test_one_whose_length_is_not_known_is_taken_for_long() -> None:
    closed = []

    def body() -> Iterator[bytes]:
        try:
            yield b"a line\n"
        finally:
            closed.append(True)

    lines = body()
    next(lines)
    refused = answer(StreamingHttpResponse(lines))
    assert refused.status_code == 503

    refused.close()

    assert closed == [True]


@pytest.mark.usefixtures("taken")
def test_a_response_that_is_not_streamed_takes_no_slot() -> None:
    assert answer(HttpResponse(bytes(10 * MAX_BUFFERED))).status_code == 200


def test_a_slot_is_released_once_the_response_is_closed() -> None:
    slots = stream_slots._value
    responses = [answer(StreamingHttpResponse([b"x"])) for _ in range(slots)]
    assert answer(StreamingHttpResponse([b"x"])).status_code == 503

    for response in responses:
        response.close()
        response.close()  # as some servers do

    assert stream_slots._value == slots


def test_a_client_that_disconnects_releases_its_slot(client: Client) -> None:
    slots = stream_slots._value
    for _ in range(slots + 1):
        response = client.get(LONG)
        assert response.status_code == 200
        next(iter(response))
        response.close()
