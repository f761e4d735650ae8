"""Whatever is sent, the service answers as its schema says, and never with an error of its own.

Schemathesis makes the requests from the schema: right ones, and wrong ones on purpose.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from loadtest.common.launcher import Copy
from tests.live.people import People
from tests.support.books import fields

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 8
"""Requests to each operation: right ones, and as many wrong ones."""
ENDING = ("sign_out", "set_password", "me_destroy", "me_update", "me_partial_update")
"""Operations after which the token of who sent them is of no use any more."""


class Things:
    """Something that is there, to be named in paths; made anew after it was deleted."""

    BODIES: Mapping[str, Callable[[], dict[str, Any]]] = {
        "books": fields,
        "categories": lambda: {"title": "Comedies"},
        "films": lambda: {"title": "Film"},
        "comments": lambda: {"text": "Fine."},
    }

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Token {token}"}
        self._made: dict[str, int] = {"pages": 1, "contents": 1}

    def of(self, path: str) -> int | None:
        """Return the id of something of the kind that stands in `path`."""
        kind = path.removeprefix("/api/v1/").partition("/")[0]
        if kind not in self._made and kind in self.BODIES:
            body = self.BODIES[kind]()
            needed = {"films": "categories", "comments": "films"}.get(kind)
            if needed:
                body[{"films": "category", "comments": "film"}[kind]] = self.of(needed)
            answer = requests.post(
                f"{self._address}/{kind}/", json=body, headers=self._headers, timeout=10
            )
            assert answer.status_code == 201, answer.text
            self._made[kind] = answer.json()["id"]
        return self._made.get(kind)

    def forget(self) -> None:
        self._made = {"pages": 1, "contents": 1}


@pytest.fixture(scope="module")
def people(service: Copy) -> People:
    return People(service)


@pytest.fixture(scope="module")
def operations(service: Copy) -> list[Any]:
    address = f"http://127.0.0.1:{service.port}/api/v1/schema/?format=json"
    schema = schemathesis.openapi.from_url(address)
    schema.config.generation.update(with_security_parameters=False)
    found = [result.ok() for result in cast(Any, schema.get_all_operations())]
    return [
        one
        for one in found
        # Elsewhere an address that leads nowhere is a page.
        if one.path.startswith("/api/") and one.definition.raw["operationId"] not in ENDING
    ]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Keeps connections, and nothing else: no cookies."""
    with requests.Session() as session:
        session.trust_env = False  # it would look for proxies at each request
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield session


@pytest.mark.long
def test_answers_are_as_the_schema_says(
    people: People, operations: list[Any], session: requests.Session
) -> None:
    """Each request is sent by a user, then by staff: to make one takes longer than to answer it."""
    staff = people.staff
    things = Things(people.api, staff)
    tokens = [people.register(), staff]
    wrong: list[str] = []
    for operation in operations:
        for mode in GenerationMode:
            try:
                cases = operation.as_strategy(generation_mode=mode)
                attack(cases, things, tokens, session)
            except (FailureGroup, Failure) as failure:
                wrong.append(f"{operation.label}: {failure}")
    assert not wrong, "\n\n".join(wrong)


def make_few(body: Any) -> None:
    """Have a task make few, not ten thousand: the worker would be busy with them."""
    if isinstance(body, dict) and isinstance(count := body.get("count"), int) and count <= 10_000:
        body["count"] = min(count, 20)


def attack(
    cases: SearchStrategy[Case[Any]],
    things: Things,
    tokens: list[str],
    session: requests.Session,
) -> None:
    """Send some requests, most of the time about something that is there."""

    @seed(0)  # else Hypothesis hashes the source of the test for each operation
    @given(case=cases)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case[Any]) -> None:
        pk = case.path_parameters.get("id")
        if isinstance(pk, int) and pk % 4 and (known := things.of(case.path)):
            case.path_parameters["id"] = known
        make_few(case.body)
        for token in tokens:
            headers = {"Authorization": f"Token {token}"}
            answer = case.call_and_validate(
                session=session, headers=headers, checks=CHECKS, timeout=10
            )
            if answer.status_code == 204:
                things.forget()

    vars(send)["_hypothesis_internal_database_key"] = b""  # else it is a hash of the source, too
    with suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked for
        send()
