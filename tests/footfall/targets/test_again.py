"""A key that was deleted and made again: its counter is what its events say."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import RequestFactory

from footfall.flush import flush_all, ingest, project
from footfall.models import Audit, Correction, KeptCounter, Projection
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import run_audit
from footfall.policies import DAY, OncePerVisitor, People
from footfall.projections.kept import history
from footfall.projections.rows import HOURLY, TOTALS, lock
from footfall.record import record
from footfall.recount.rebuild import rebuild, rebuild_stale
from footfall.registry import counter_of, register
from tests.support.agents import BROWSER
from tests.support.concurrency import run_at_once
from tests.support.targets import Person, Tag

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_home")]


def audit() -> list[str]:
    return list(run_audit(Audit.objects.create()))


def viewed(slug: str, times: int = 1) -> None:
    tag, _ = Tag.objects.get_or_create(slug=slug)
    for _ in range(times):
        record(tag)


def test_it_goes_on_where_its_events_are() -> None:
    viewed("again", 3)
    flush_all()
    adjust(Tag, "again", by=10, why="counted elsewhere")
    record(Tag.objects.get())  # on its way while the tag is deleted
    Tag.objects.all().delete()
    flush_all()
    assert not KeptCounter.objects.exists()

    viewed("again")
    viewed("new")
    flush_all()

    assert dict(Tag.objects.values_list("slug", "counter")) == {"again": 15, "new": 1}
    assert audit() == []
    assert rebuild("totals:targets.tag").changed == 0


@pytest.mark.parametrize("ahead", [TOTALS, HOURLY])
def test_counters_and_rollups_need_not_be_at_one_place(ahead: str) -> None:
    viewed("again", 2)
    flush_all()
    viewed("again", 3)
    ingest()
    project(force=True, kinds=[ahead])
    Tag.objects.all().delete()

    viewed("again")
    ingest()
    project(force=True, kinds=[TOTALS])

    assert Tag.objects.get().counter == 6
    flush_all()
    assert audit() == []


def test_an_adjustment_finds_it() -> None:
    viewed("again", 3)
    flush_all()
    Tag.objects.all().delete()
    Tag.objects.create(slug="again")

    adjusted = adjust(Tag, "again", to=3, why="as it was")
    flush_all()

    assert adjusted is None
    assert Tag.objects.get().counter == 3
    assert audit() == []


@pytest.mark.parametrize("policy", [OncePerVisitor(DAY), People()])
def test_policies_count_as_ever(policy: OncePerVisitor | People) -> None:
    register(Person, policy=policy)
    key = uuid4()
    for _ in range(2):
        person = Person.objects.create(pk=key, title="one")
        for agent in (BROWSER, BROWSER, "curl/8.1"):
            record(person, request=RequestFactory().get("/", headers={"user-agent": agent}))
        flush_all()
        Person.objects.all().delete()
    person = Person.objects.create(pk=key, title="one")
    record(person, request=RequestFactory().get("/", headers={"user-agent": BROWSER}))
    flush_all()
    rebuild_stale()

    assert counter_of(person) == (2 if policy.most else 5)
    assert audit() == []


def test_what_would_take_too_long_is_left_to_a_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_EVENTS", 1)
    viewed("again")
    flush_all()
    viewed("again", 2)
    ingest()
    project(force=True, kinds=[TOTALS])
    Tag.objects.all().delete()

    viewed("again")
    ingest()
    project(force=True, kinds=[TOTALS])
    assert Tag.objects.get().counter == 1
    assert rebuild_stale() == ["totals:targets.tag"]
    flush_all()

    assert Tag.objects.get().counter == 4
    assert audit() == []
    assert Correction.objects.exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has one writer, and no row locks")
def test_while_rollups_are_written_it_waits(real_delay: None) -> None:
    viewed("again")
    flush_all()
    Tag.objects.all().delete()
    viewed("again")
    ingest()
    before = Projection.objects.get(name="totals:targets.tag").position

    def apply() -> None:
        waiting = project(force=True, kinds=[TOTALS]).waiting
        assert waiting == ["totals:targets.tag"]

    with transaction.atomic():
        lock("targets.tag", [HOURLY])
        run_at_once([apply])
    assert Projection.objects.get(name="totals:targets.tag").position == before
    flush_all()

    assert Tag.objects.get().counter == 2
