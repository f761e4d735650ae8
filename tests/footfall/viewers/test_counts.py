"""Views by agent are counted from the store."""

from datetime import UTC, datetime

import pytest

from footfall.events import Meta, encode_meta
from footfall.models import Agent, AgentCount, Projection, Segment, StoreHead
from footfall.models.viewers import signed
from footfall.recount.upkeep import keep_store
from footfall.store.compact import compact
from footfall.viewers import counts
from footfall.viewers.counts import count_agents
from tests.support.store import numbered, store
from tests.support.views import AT

pytestmark = pytest.mark.django_db
ONE, OTHER, UNKNOWN = 5, 2**64 - 5, 77


@pytest.fixture(autouse=True)
def agents() -> None:
    Agent.objects.bulk_create(Agent(hash=signed(one), string=f"{one}") for one in (ONE, OTHER))


def add(agent: int, count: int, visitor: int = 0, start: int = 0) -> Segment:
    meta = encode_meta(Meta(agent=agent, visitor=visitor))
    return store(numbered(count, start, meta=meta))


def views() -> dict[str, int]:
    return dict(Agent.objects.values_list("string", "views"))


def test_each_event_is_counted_once() -> None:
    add(ONE, 3)
    add(ONE, 4, visitor=8, start=3)
    add(OTHER, 5)
    add(0, 2)
    add(UNKNOWN, 1)
    for _ in range(2):
        keep_store()

    assert views() == {str(ONE): 7, str(OTHER): 5}
    count = AgentCount.objects.get()
    assert (count.without, count.events) == (3, 15)
    last = Agent.objects.get(string=str(ONE)).last_at
    assert last == datetime.fromtimestamp((AT + 6_000) / 1000, UTC)

    add(ONE, 1, start=7)
    count_agents()
    assert views() == {str(ONE): 8, str(OTHER): 5}


def test_many_are_counted_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MAX_EVENTS", 10)
    monkeypatch.setattr(counts, "ROWS_PER_QUERY", 1)
    for n in range(5):
        add(ONE, 7, start=7 * n)

    count_agents()

    assert views()[str(ONE)] == 35


def test_compaction_changes_nothing() -> None:
    Projection.objects.create(name="totals:pages.content", number=1_000_000)
    for n in range(6):
        add(ONE, 2, start=2 * n)
        if n == 2:
            count_agents()
    assert compact() == 5
    assert Segment.objects.count() == 1

    count_agents()

    assert views()[str(ONE)] == 12


def test_after_a_restore_it_starts_over() -> None:
    add(ONE, 3)
    add(ONE, 2, start=3)
    count_agents()
    Segment.objects.order_by("number").last().delete()  # type: ignore[union-attr]
    kept = Segment.objects.get()
    StoreHead.objects.update(number=kept.number, key=kept.key, events=kept.events)

    count_agents()
    assert views()[str(ONE)] == 3

    add(OTHER, 4)
    count_agents()
    assert views() == {str(ONE): 3, str(OTHER): 4}
