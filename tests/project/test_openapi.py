"""The schema is generated once: that takes a second, and any client may request it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
from django.test import Client, RequestFactory
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView

from project import openapi

ADDRESS = "/api/v1/schema/"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """None is cached yet."""
    with patch.dict(openapi.cached, clear=True):
        yield


def test_it_is_what_drf_spectacular_makes(client: Client, rf: RequestFactory) -> None:
    for query in ("", "?format=json", "?lang=ru", "?lang=none", "?format=yaml"):
        theirs = SpectacularAPIView.as_view()(rf.get(f"{ADDRESS}{query}")).render()

        for _ in range(2):
            ours = client.get(f"{ADDRESS}{query}")
            assert ours.status_code == 200, query
            if "none" not in query:
                assert ours.content == theirs.content, query
            for name in ("Content-Type", "Content-Disposition", "Allow"):
                assert ours.headers[name] == theirs.headers[name], query


def test_asking_again_costs_nothing(client: Client) -> None:
    original = SchemaGenerator.get_schema
    with patch.object(SchemaGenerator, "get_schema", autospec=True, side_effect=original) as made:
        for number in range(3):
            assert client.get(f"{ADDRESS}?version={number}&lang=none{number}").status_code == 200
        client.get(ADDRESS, headers={"Accept-Language": "ru"})
        assert made.call_count == 2


def test_all_who_ask_at_once_are_answered(client: Client) -> None:
    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(lambda _: Client().get(ADDRESS).status_code, range(12)))

    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    assert client.get(ADDRESS).status_code == 200


def test_few_threads_wait_for_it(client: Client) -> None:
    with openapi.waiting, openapi.waiting, openapi.waiting:
        response = client.get(ADDRESS)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
