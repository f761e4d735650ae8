"""Salts are made, shared and deleted by themselves."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from unittest.mock import Mock

import pytest
from django.db import DatabaseError
from django.test import RequestFactory
from pytest_django import Settings

from footfall.events import decode_meta
from footfall.identity import database_now
from footfall.models import AgentRule, How, Kind, Salt
from footfall.ops.retention import prune
from footfall.viewers import memory, salts
from footfall.viewers.addresses import packed
from footfall.viewers.agents import Told
from footfall.viewers.memory import Memory, Read, Salted
from footfall.viewers.request import viewer_of
from footfall.viewers.salts import keep_salts, make_salts
from loadtest.common.waiting import wait_until
from tests.support import processes
from tests.support.visits import visitor_of

pytestmark = pytest.mark.django_db
HEADERS = ("192.0.2.1", "a", "b", *[None] * 9)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Runs the upkeep at a time."""

    def upkeep(now: datetime) -> None:
        monkeypatch.setattr(salts, "database_now", lambda: now)
        keep_salts()

    return upkeep


def kept() -> list[date]:
    return list(Salt.objects.order_by("day").values_list("day", flat=True))


def test_there_is_one_for_today_and_one_for_tomorrow() -> None:
    (today, salt), (tomorrow, next_salt) = make_salts(NOON)

    assert (today, tomorrow) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert len(salt) == len(next_salt) == 32
    assert salt != next_salt
    assert make_salts(NOON) == [(today, salt), (tomorrow, next_salt)]
    assert make_salts(NOON + DAY)[0] == (tomorrow, next_salt)


def test_two_days_after_its_day_began_a_salt_is_deleted(at: Callable[[datetime], None]) -> None:
    first = NOON.date()
    at(NOON)
    assert kept() == [first, first + DAY]
    at(NOON + DAY)
    assert kept() == [first, first + DAY, first + 2 * DAY]
    at(NOON.replace(hour=0) + 2 * DAY)
    assert kept() == [first + DAY, first + 2 * DAY, first + 3 * DAY]


def test_a_longer_salt_is_deleted_a_day_after_its_window(
    settings: Settings, at: Callable[[datetime], None]
) -> None:
    settings.COUNTERS_VISITOR_DAYS = 7
    first = date(1970, 1, 1) + 7 * 2930 * DAY
    midnight = datetime.combine(first, datetime.min.time(), UTC)

    for day in range(7):
        at(midnight + day * DAY)
        assert kept() == [first, first + 7 * DAY]
    at(midnight + 7 * DAY)
    assert kept() == [first, first + 7 * DAY, first + 14 * DAY]
    at(midnight + 8 * DAY)
    assert kept() == [first + 7 * DAY, first + 14 * DAY]


def test_a_clock_that_was_wrong_leaves_no_salts(at: Callable[[datetime], None]) -> None:
    at(NOON + 30 * DAY)
    at(NOON)

    assert kept() == [NOON.date(), NOON.date() + DAY]


def test_without_visitors_none_is_made_and_old_ones_are_deleted(
    settings: Settings, at: Callable[[datetime], None]
) -> None:
    at(NOON)
    settings.COUNTERS_VISITORS = False

    at(NOON + 5 * DAY)

    assert kept() == []


def test_the_hourly_upkeep_does_it() -> None:
    now = database_now()
    Salt.objects.create(day=now.date() - 3 * DAY, value=bytes(32))

    prune()

    assert kept() == [now.date(), now.date() + DAY]


def test_a_new_day_has_a_new_salt_without_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    began = 1000.0
    found = Read((
        Salted(began, began + 86400, b"today"),
        Salted(began + 86400, began + 2 * 86400, b"tomorrow"),
    ))  # fmt: skip
    asked: list[Read] = [found]
    monkeypatch.setattr(memory, "read", asked.pop)  # the next time it fails
    known = Memory()
    seconds = (0, 86399, 86400, 2 * 86400 - 1, 2 * 86400)

    visitors = [decode_meta(known.look(HEADERS, began + after)).visitor for after in seconds]

    assert visitors == [
        int.from_bytes(visitor_of(packed("192.0.2.1"), "a", "b", salt) if salt else b"", "big")
        for salt in (b"today", b"today", b"tomorrow", b"tomorrow", b"")
    ]


def seen() -> int:
    return decode_meta(viewer_of(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1"))).visitor


def say_who() -> None:
    print(seen())  # noqa: T201


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("real_salts")
def test_all_processes_see_the_same_visitor(environment: dict[str, str]) -> None:
    others = [processes.run(environment, say_who) for _ in range(2)]

    assert seen() != 0
    assert [one.stdout.strip() for one in others] == [str(seen())] * 2


def test_reads_do_not_ask_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Read] = []

    def read() -> Read:
        asked.append(Read())
        return asked[-1]

    monkeypatch.setattr(memory, "read", read)

    for _ in range(100):
        seen()

    assert len(asked) == 1


def test_while_the_database_is_away_visitors_are_not_known_and_then_they_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = memory.read()

    def fail() -> Read:
        raise DatabaseError("away")

    monkeypatch.setattr(memory, "read", fail)
    known = memory.memory()
    before = seen()
    refresh_now(known)
    assert before == seen() == 0
    assert caplog.text.count("cannot be read") == 1

    monkeypatch.setattr(memory, "read", lambda: found)
    refresh_now(known)
    before = seen()
    monkeypatch.setattr(memory, "read", fail)
    refresh_now(known)

    assert before == seen() != 0


def refresh_now(known: Memory) -> None:
    """Have it read the database, and wait for that."""
    if known._thread:
        known._thread.join()  # one reads at a time
    known.wakes = known._due = 0.0
    known._has_tried.clear()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("real_salts")
def test_an_address_range_of_operators_is_known_to_a_running_process() -> None:
    def how(address: str) -> How:
        meta = viewer_of(RequestFactory().get("/", REMOTE_ADDR=address, HTTP_USER_AGENT=address))
        return Told.decode(decode_meta(meta).told).how

    assert how("10.1.2.3") == How.PLAIN
    AgentRule.objects.create(match="addresses", value="10.1.0.0/16", kind=Kind.MONITOR)
    refresh_now(memory.memory())

    assert how("10.1.2.3") == how("::ffff:10.1.200.3") == How.MONITOR
    assert how("10.2.2.3") == How.PLAIN


def test_a_view_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a process none can be started."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    meta = decode_meta(Memory().look(HEADERS, 1000.0))

    assert (meta.visitor, Told.decode(meta.told).string) == (0, "a")


def test_what_is_read_while_a_salt_is_chosen_is_used_from_the_next_view_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Memory()
    new = Read((Salted(0.0, 2000.0, bytes(32)),))

    class Replaced(Read):
        @property
        def salts(self) -> tuple[Salted, ...]:
            known._read_again()
            return ()

    monkeypatch.setattr(memory, "read", lambda: new)
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError))
    known._read = Replaced()

    first, second = (decode_meta(known.look(HEADERS, 1000.0)).visitor for _ in range(2))

    assert first == 0
    assert second != 0


def test_what_is_made_of_a_salt_that_is_replaced_meanwhile_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Memory()
    reads = [Read((Salted(0.0, 2000.0, bytes([n]) * 32),)) for n in range(2)]
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError))
    known._read = reads[0]
    known.look(HEADERS, 1000.0)  # tells the agent, for some seconds
    make = known._make

    def make_slowly(headers: tuple[str | None, ...], now: float) -> tuple[bytes, bool]:
        made = make(headers, now)
        if known._read is reads[0]:
            known._read, known.wakes = reads[1], 0.0
            known._wake(now)  # as another thread does
        return made

    monkeypatch.setattr(known, "_make", make_slowly)

    first, second = (decode_meta(known.look(HEADERS, 1100.0)).visitor for _ in range(2))

    assert first != second


def test_each_view_of_the_first_second_waits_for_the_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def read() -> Read:
        answers.wait(60)
        return Read((Salted(0.0, 2000.0, bytes(32)),))

    monkeypatch.setattr(memory, "read", read)
    monkeypatch.setattr(memory, "FIRST_SECONDS", 60.0)
    known = Memory()
    with ThreadPoolExecutor(4) as views:
        visitors = [views.submit(known.look, HEADERS, 1000.0) for _ in range(4)]
        wait_until(lambda: all(one.running() or one.done() for one in visitors), 60)
        answers.set()
        assert all(decode_meta(one.result()).visitor for one in visitors)


def test_a_database_that_does_not_answer_holds_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    asked: list[threading.Thread] = []

    def read() -> Read:
        asked.append(threading.current_thread())
        answers.wait(60)
        return Read()

    monkeypatch.setattr(memory, "read", read)
    monkeypatch.setattr(memory, "FIRST_SECONDS", 0)
    known = Memory()
    try:
        for minute in range(10):
            known.look(HEADERS, 1000.0 + 60 * minute)
    finally:
        answers.set()
        for thread in asked:
            thread.join()

    assert len(asked) == 1
