"""Visitors and agents with far more views than is usual are found, and no others."""

import time
from datetime import timedelta
from functools import partial

import pytest
from django.db.models import F

from footfall.models import Agent, Burst, Kind
from footfall.models.viewers import signed
from footfall.recount.upkeep import keep_store
from footfall.viewers import bursts
from footfall.viewers.bursts import FLOOR, HOUR, Senders, find_bursts, usual_of
from footfall.viewers.counts import count_agents
from tests.support.agents import BROWSER, HIDDEN, ROBOT, seen
from tests.support.projections import view
from tests.support.visits import visit

pytestmark = pytest.mark.django_db

MANY = 2**63 + 5
"""A visitor that is a negative number in the tables."""


@pytest.fixture
def now() -> int:
    """The start of the present hour, in ms."""
    return time.time_ns() // 1_000_000 // HOUR * HOUR


@pytest.fixture
def people(now: int) -> None:
    """Twenty visitors with three views each, of the same agent."""
    visit({"pages.content": [1]}, [*range(1, 21)] * 3, at=now, agent=seen(BROWSER))


def found() -> list[tuple[int, int, int]]:
    """Return agent, visitor and views of the bursts that are found."""
    find_bursts()
    rows = Burst.objects.order_by("hour", "agent", "visitor")
    return list(rows.values_list("agent", "visitor", "views"))


@pytest.mark.usefixtures("people")
def test_a_visitor_with_many_times_the_usual_views_is_found(now: int) -> None:
    assert found() == []
    view({"pages.content": [1]}, FLOOR, at=now, agent=seen(BROWSER), visitor=MANY)

    keep_store()

    [burst] = Burst.objects.all()
    assert (burst.agent, burst.visitor) == (signed(seen(BROWSER)), signed(MANY))
    assert (burst.views, burst.usual) == (FLOOR, 3)
    assert burst.hour.timestamp() * 1000 == now


@pytest.mark.usefixtures("people")
def test_it_is_kept_once_and_grows(now: int) -> None:
    more = partial(view, {"pages.content": [1]}, FLOOR, at=now, agent=seen(BROWSER), visitor=9)
    more()
    found()
    Burst.objects.update(decision=Burst.Decision.KEPT)
    more()

    assert found() == [(signed(seen(BROWSER)), 9, 2 * FLOOR + 3)]
    assert Burst.objects.get().decision == Burst.Decision.KEPT


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("views", "agent", "hours_ago"),
    [(FLOOR - 1, BROWSER, 0), (FLOOR, ROBOT, 0), (FLOOR, BROWSER, 3)],
    ids=["few", "a robot that is known", "long ago"],
)
def test_others_are_none(now: int, views: int, agent: str, hours_ago: int) -> None:
    at = now - hours_ago * HOUR
    view({"pages.content": [1]}, views, at=at, agent=seen(agent), visitor=MANY)

    assert found() == []


def test_where_all_have_many_views_none_is_a_burst(now: int) -> None:
    for visitor in range(1, 4):
        view({"pages.content": [1]}, FLOOR, at=now, agent=seen(BROWSER), visitor=visitor)

    assert found() == []


@pytest.mark.usefixtures("people")
def test_an_agent_with_many_visitors_that_all_have_many_views_is_one_burst(now: int) -> None:
    for visitor in range(100, 104):
        view({"pages.content": [1]}, FLOOR, at=now, agent=seen(HIDDEN), visitor=visitor)

    assert found() == [(signed(seen(HIDDEN)), 0, 4 * FLOOR)]


def test_an_agent_of_very_many_people_is_none(now: int) -> None:
    visit({"pages.content": [1]}, [*range(1, 201)] * 3, at=now, agent=seen(BROWSER))

    assert found() == []


def test_without_visitors_an_agent_is_compared_with_itself(now: int) -> None:
    """Where visitors are not told apart, a popular agent has as many views as always."""
    for agent in (BROWSER, HIDDEN):
        view({"pages.content": [1]}, FLOOR, at=now, agent=seen(agent))
    view({"pages.content": [1]}, 4, at=now, agent=seen("Other/1"))
    view({"pages.content": [1]}, 4, at=now, agent=seen("Another/1"))
    view({"pages.content": [1]}, 4, at=now, agent=seen("Third/1"))
    count_agents()
    Agent.objects.filter(hash=signed(seen(BROWSER))).update(
        views=100 * FLOOR, first_at=F("last_at") - timedelta(hours=100)
    )

    assert found() == [(signed(seen(HIDDEN)), 0, FLOOR)]


@pytest.mark.usefixtures("people")
def test_memory_is_bounded(now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "MAX_SENDERS", 4)
    view({"pages.content": [1]}, FLOOR, at=now, agent=seen(BROWSER), visitor=MANY)
    for visitor in range(200, 220):
        view({"pages.content": [1]}, 2, at=now, agent=seen(BROWSER), visitor=visitor)

    senders = bursts.read_senders([now // HOUR])[now // HOUR]

    assert len(senders.views) <= 4
    assert sum(senders.times().values()) == 41
    assert found() == [(signed(seen(BROWSER)), signed(MANY), FLOOR)]


def test_only_the_newest_events_are_read(now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "MAX_EVENTS", 2)
    for visitor in range(1, 5):
        view({"pages.content": [1]}, 1, at=now, agent=seen("New/1", Kind.UNKNOWN), visitor=visitor)

    senders: Senders = bursts.read_senders([now // HOUR])[now // HOUR]

    assert {visitor for _agent, visitor in senders.views} == {3, 4}


def test_they_are_forgotten_after_a_month(now: int) -> None:
    view({"pages.content": [1]}, FLOOR, at=now, agent=seen(BROWSER), visitor=1)
    assert len(found()) == 1
    Burst.objects.update(hour=F("hour") - timedelta(days=31), visitor=2)

    assert found() == [(signed(seen(BROWSER)), 1, FLOOR)]


def test_the_usual_number() -> None:
    assert usual_of({}) == 0
    assert usual_of({3: 1}, 3) == 0
    assert usual_of({3: 5, 9: 1}) == 3
    assert usual_of({3: 1, 900: 2}, 900) == 900
    assert usual_of({3: 2, 900: 1}, 900) == 3
