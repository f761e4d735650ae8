"""Agents on their way into the store: a table has their strings, and its size has a limit."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from footfall.eventlog import RedisLog
from footfall.events import Meta, decode_meta, encode, encode_meta
from footfall.flush import flush_all, ingest
from footfall.identity import Moment
from footfall.ingest.agents import insert_new, keep_agents
from footfall.models import Agent, AgentRule, DeadLetter, How, Identity, Kind, StoreHead
from footfall.models.viewers import signed, unsigned
from footfall.viewers.agents import Told, hash_of
from tests.support.concurrency import locked, run_at_once
from tests.support.store import Stored, all_stored, built
from tests.support.views import AT

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BODY = encode({"pages.content": [1]})
MOMENT = Moment("", 50, datetime(2026, 3, 1, tzinfo=UTC))


def told(string: str, how: How = How.PLAIN) -> bytes:
    return Told(how, string).encode()


def meta_of(string: str, visitor: int = 0, tells: bool = True) -> bytes:
    text = told(string)
    return encode_meta(Meta(visitor=visitor, agent=hash_of(text), told=text if tells else b""))


def append(log: RedisLog, metas: Sequence[bytes], partition: int = 0) -> None:
    for meta in metas:
        log.append(partition, BODY, AT, meta)


def stored_agents() -> Counter[int]:
    """Return how many stored events each agent has."""
    return Counter(decode_meta(one.meta).agent for one in all_stored())


def strings() -> list[str]:
    return sorted(Agent.objects.values_list("string", flat=True))


def test_the_table_has_the_string_and_the_store_has_not(log: RedisLog) -> None:
    append(log, [meta_of(FIREFOX, visitor=5), meta_of(FIREFOX, visitor=5, tells=False)])

    ingest()

    assert [one.meta for one in all_stored()] == [meta_of(FIREFOX, visitor=5, tells=False)] * 2
    agent = Agent.objects.get()
    assert unsigned(agent.hash) == hash_of(told(FIREFOX))
    assert (agent.string, agent.how, agent.kind) == (FIREFOX, How.PLAIN, Kind.PERSON)


def test_metadata_that_is_the_same_without_the_string_is_stored_once() -> None:
    others = [b"", encode_meta(Meta(key=b"k" * 16)), encode_meta(Meta(visitor=9))]
    metas = [meta_of("a/1", visitor=7), *others, meta_of("a/1", visitor=7, tells=False)]
    events = built([Stored(sequence=n, meta=meta) for n, meta in enumerate(metas)])

    keep_agents(events, MOMENT)

    assert [events.metas[index] for index in events.meta] == [metas[4], *others, metas[4]]
    assert len(events.metas) == 4


def test_the_kind_is_what_rules_and_list_say_when_it_comes(log: RedisLog) -> None:
    AgentRule.objects.create(match="pattern", value="own*", kind=Kind.MONITOR)
    append(log, [meta_of(name) for name in ("owner/1", "curl/8", "x")])
    how = told("curl/8", How.PREFETCH)
    append(log, [encode_meta(Meta(agent=hash_of(how), told=how))])

    ingest()

    kinds = sorted(Agent.objects.values_list("string", "how", "kind"))
    assert kinds == [
        ("curl/8", How.PLAIN, Kind.LIBRARY),
        ("curl/8", How.PREFETCH, Kind.PREFETCH),
        ("owner/1", How.PLAIN, Kind.MONITOR),
        ("x", How.PLAIN, Kind.UNKNOWN),
    ]


def test_a_rule_that_is_none_makes_no_dead_letters(log: RedisLog) -> None:
    """As `loaddata` takes it, which checks no choices."""
    AgentRule.objects.create(match="exact", value="curl/8", kind=77)
    AgentRule.objects.create(match="pattern", value="c*", kind=77)
    append(log, [meta_of("curl/8")])

    ingest()

    assert not DeadLetter.objects.exists()
    assert list(Agent.objects.values_list("string", "kind")) == [("curl/8", Kind.LIBRARY)]


def test_a_string_that_comes_later_is_filled_in_and_changes_no_kind(log: RedisLog) -> None:
    append(log, [meta_of("curl/8", tells=False)])
    ingest()
    assert list(Agent.objects.values_list("string", "kind")) == [("", Kind.UNKNOWN)]

    append(log, [meta_of("curl/8")])
    ingest()

    assert list(Agent.objects.values_list("string", "kind")) == [("curl/8", Kind.UNKNOWN)]


def test_a_string_of_another_agent_is_not_believed(log: RedisLog) -> None:
    forged = encode_meta(Meta(agent=7, told=told("curl/8")))
    too_long = b"\0" + b"x" * 300
    append(log, [forged, encode_meta(Meta(agent=hash_of(too_long), told=too_long))])

    ingest()

    assert strings() == ["", ""]
    assert not DeadLetter.objects.exists()


def test_thousands_of_made_up_agents_fill_nothing(log: RedisLog, settings: Settings) -> None:
    settings.COUNTERS_AGENTS_PER_DAY = 100
    append(log, [meta_of("known/1", visitor=1)])
    ingest()
    append(log, [meta_of(f"made up {number}", visitor=number + 1) for number in range(2_000)])
    append(log, [meta_of("known/1", visitor=2, tells=False)])

    assert flush_all() == 2_001

    assert Agent.objects.count() == 100
    stored = stored_agents()
    rows = {unsigned(pk) for pk in Agent.objects.values_list("pk", flat=True)}
    assert stored.pop(0) == 2_000 - 99
    assert {*stored} == rows
    assert stored[hash_of(told("known/1"))] == 2
    assert len({decode_meta(one.meta).visitor for one in all_stored()}) == 2_000


def test_the_next_day_there_is_room_again(log: RedisLog, settings: Settings) -> None:
    settings.COUNTERS_AGENTS_PER_DAY = 2
    for day in range(3):
        Identity.objects.update(epoch=48 + 24 * day + 23)
        append(log, [meta_of(f"agent {day}.{number}") for number in range(3)])
        ingest()

    assert Agent.objects.count() == 6
    assert stored_agents()[0] == 3


def test_epochs_that_begin_anew_leave_room(log: RedisLog, settings: Settings) -> None:
    """As after a TRUNCATE: agents of higher epochs are not those of today."""
    settings.COUNTERS_AGENTS_PER_DAY = 2
    Identity.objects.update(epoch=500)
    append(log, [meta_of("old/1"), meta_of("old/2")])
    ingest()
    Identity.objects.update(epoch=0)

    append(log, [meta_of("new/1")])
    ingest()

    assert strings() == ["new/1", "old/1", "old/2"]


def test_those_whose_string_is_known_come_first(log: RedisLog, settings: Settings) -> None:
    settings.COUNTERS_AGENTS_PER_DAY = 3
    append(log, [meta_of(f"untold {number}", tells=False) for number in range(20)])
    append(log, [meta_of("a/1"), meta_of("b/1")])

    ingest()

    assert strings() == ["", "a/1", "b/1"]


def test_after_a_restore_an_agent_gets_its_row_again(log: RedisLog) -> None:
    """However soon: it is the process that remembers."""
    append(log, [meta_of("a/1")])
    ingest()
    backup = transaction.savepoint()
    append(log, [meta_of("b/1")])
    ingest()
    append(log, [meta_of("b/1", tells=False)])  # it is remembered by now
    ingest()
    transaction.savepoint_rollback(backup)

    append(log, [meta_of("b/1")])
    ingest()

    assert strings() == ["a/1", "b/1"]
    rows = {unsigned(pk) for pk in Agent.objects.values_list("pk", flat=True)}
    assert {*stored_agents()} == rows


def test_an_agent_is_not_remembered_if_the_database_fails_over_when_it_was_found(
    log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, [meta_of("a/1")])
    ingest()
    backup = transaction.savepoint()
    append(log, [meta_of("b/1")])
    ingest()

    def fail() -> StoreHead:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr("footfall.ingest.agents.store_head", fail)
        with pytest.raises(OperationalError):
            insert_new([hash_of(told("b/1"))], {}, MOMENT)
    transaction.savepoint_rollback(backup)
    append(log, [meta_of("b/1")])
    ingest()

    assert strings() == ["a/1", "b/1"]


def test_rows_that_were_deleted_by_hand_are_missed_after_a_minute(
    log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, [meta_of("a/1")])
    ingest()
    append(log, [meta_of("a/1")])
    ingest()
    Agent.objects.all().delete()
    monkeypatch.setattr("footfall.ingest.agents.monotonic", lambda: time.monotonic() + 61)

    append(log, [meta_of("a/1")])
    ingest()

    assert strings() == ["a/1"]


def test_an_event_without_an_agent_needs_no_row(log: RedisLog) -> None:
    append(log, [b"", encode_meta(Meta(visitor=4))])

    ingest()

    assert not Agent.objects.exists()
    assert [one.meta for one in all_stored()] == [b"", encode_meta(Meta(visitor=4))]


def test_agents_of_an_ingest_that_fills_the_room_meanwhile_have_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, other = hash_of(told("a/1")), hash_of(told("a/2"))

    def filled(moment: Moment) -> int:
        Agent.objects.create(hash=signed(ours), first_at=moment.now)
        return 0

    monkeypatch.setattr("footfall.ingest.agents._room", filled)

    assert insert_new([ours, other], {}, MOMENT) == {other}


@pytest.mark.django_db(transaction=True)
def test_ingests_with_the_same_new_agents_wait_for_each_other(settings: Settings) -> None:
    settings.COUNTERS_AGENTS_PER_DAY = 150
    agents = {hash_of(text): text for text in map(told, map(str, range(200)))}

    def insert(order: Sequence[int]) -> set[int]:
        return as_one(partial(insert_new, order, agents, MOMENT))

    orders = [[*agents], [*agents][::-1], sorted(agents), [*agents][50:] + [*agents][:50]]
    refused = run_at_once([partial(insert, order) for order in orders])

    rows = {unsigned(pk) for pk in Agent.objects.values_list("pk", flat=True)}
    assert len(rows) == 150
    assert refused == [{*agents} - rows] * 4


def as_one(insert: "partial[set[int]]") -> set[int]:
    with transaction.atomic():
        return insert()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has one writer")
def test_a_row_that_another_has_locked_holds_no_ingest_up(log: RedisLog) -> None:
    """As `reclassify` may do it: its string is filled in later."""
    append(log, [meta_of("curl/8", tells=False)])
    ingest()
    append(log, [meta_of("curl/8")])

    with locked(Agent.objects.all()):
        ingest()

    assert strings() == [""]
    assert stored_agents() == {hash_of(told("curl/8")): 2}
