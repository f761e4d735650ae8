"""A counter that counts a visitor once, or a few times, in each hour or day."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from django.test import RequestFactory
from pytest_django import Settings

from catalog.pages.models import Content
from footfall.flush import flush_all, project
from footfall.models import (
    Audit,
    Identity,
    Segment,
    Uncounted,
    Visit,
    VisitWindow,
)
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import run_audit
from footfall.policies import DAY, HOUR, AtMost, Everything, OncePerVisitor, Policy, named
from footfall.record import record
from footfall.recount import rebuild
from footfall.recount.adopt import adopt
from footfall.recount.drop import drop
from footfall.registry import counter_field
from footfall.store.retain import remove_due
from footfall.store.visits import remove_unused
from tests.support.projections import view
from tests.support.views import AT
from tests.support.views import HOUR as MS

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
TOTALS = f"totals:{LABEL}"
ONE, TWO = 2**64 - 1, 7
SetPolicy = Callable[[Policy], None]
FIELD = counter_field(Content)


def count() -> None:
    while project(force=True).more:
        pass


def audit(**how: Any) -> list[str]:
    return list(run_audit(Audit(), **how))


def counters() -> list[int]:
    """Return those of `ids`: no content is newer."""
    return list(Content.objects.order_by("pk").values_list("counter", flat=True))[-3:]


# --- What the peers specify -----------------------------------------------------------------------


def test_once_and_again_after_the_window(ids: list[int], counted_by: SetPolicy) -> None:
    """django-hitcount: HITCOUNT_KEEP_HIT_ACTIVE, here a calendar hour."""
    counted_by(OncePerVisitor(HOUR))
    for minutes in (0, 1, 59, 60, 61, 125):
        view({LABEL: ids[:2]}, at=AT + minutes * 60_000, visitor=ONE)
        count()
    view({LABEL: ids[:1]}, 3, at=AT, visitor=TWO)
    count()

    assert counters() == [3 + 1, 3, 0]
    assert audit() == []


def test_a_limit_by_visitor(ids: list[int], counted_by: SetPolicy) -> None:
    """django-hitcount: HITCOUNT_HITS_PER_IP_LIMIT; in one batch, or one by one."""
    counted_by(AtMost(3, per=DAY))
    for _ in range(5):
        view({LABEL: ids[:1]}, visitor=ONE)
        count()
    view({LABEL: ids[1:2]}, 5, visitor=ONE)
    view({LABEL: ids[1:2]}, 5, at=AT + 23 * MS, visitor=ONE)
    view({LABEL: ids[1:2]}, 2, at=AT + 24 * MS, visitor=ONE)
    count()

    assert counters() == [3, 5, 0]
    assert audit() == []


def test_without_a_visitor_each_view_counts(ids: list[int], counted_by: SetPolicy) -> None:
    counted_by(OncePerVisitor())
    view({LABEL: ids}, 4)
    count()

    assert counters() == [4, 4, 4]
    assert not Visit.objects.exists()
    assert audit() == []


@pytest.mark.usefixtures("own_log")
def test_a_session_is_one_visitor(
    page: Any, contents: list[Content], rf: RequestFactory, counted_by: SetPolicy
) -> None:
    counted_by(OncePerVisitor(DAY))
    at = time.time_ns() // 1_000_000 - 12 * MS  # the same day, whenever the test runs
    for address in ("10.0.0.1", "10.9.9.9", "10.0.0.1"):
        record(page, contents, request=rf.get("/", REMOTE_ADDR=address), at=at)
        flush_all()

    assert {one.counter for one in Content.objects.filter(pk__in=[c.pk for c in contents])} == {2}
    page.refresh_from_db()
    assert page.counter == 3  # pages count every read


@pytest.mark.parametrize("rows", [1, 2, 50_000])
def test_a_content_on_several_pages(
    rows: int, ids: list[int], counted_by: SetPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By visitors that are known of it and not, in statements of any size."""
    monkeypatch.setattr("footfall.sql.visits.ROWS_PER_STATEMENT", rows)
    counted_by(AtMost(2, per=DAY))
    view({LABEL: ids[:2]}, visitor=ONE)
    count()
    view({LABEL: ids[:2]}, visitor=TWO)
    view({LABEL: ids[1:]}, 2, visitor=ONE)
    view({LABEL: ids[1:]}, visitor=TWO)
    view({LABEL: ids[1:2]})
    assert audit() == []
    count()

    assert counters() == [1 + 1, 2 + 2 + 1, 2 + 1]
    assert audit() == []
    rebuild.rebuild(TOTALS)
    assert counters() == [2, 5, 3]


def test_a_hit_that_is_deleted(ids: list[int], counted_by: SetPolicy) -> None:
    counted_by(OncePerVisitor())
    view({LABEL: ids[:1]}, visitor=ONE)
    view({LABEL: ids[:1]}, visitor=TWO)
    count()
    adjust(Content, ids[0], by=-1, why="a mistake")
    rebuild.rebuild(TOTALS)

    assert counters() == [1, 0, 0]
    assert audit() == []


# --- Exactly --------------------------------------------------------------------------------------


def test_late_views_count_in_their_own_window(ids: list[int], counted_by: SetPolicy) -> None:
    """Also when their window is not remembered any more: it is read from the store."""
    Identity.objects.get_or_create(pk=1)
    counted_by(OncePerVisitor(HOUR))
    view({LABEL: ids[:1]}, at=AT, visitor=ONE)
    count()
    view({LABEL: ids[:1]}, at=AT + 30 * MS, visitor=ONE)
    count()
    Identity.objects.update(epoch=F("epoch") + 100)
    remove_unused()
    assert not Visit.objects.exists()
    assert not VisitWindow.objects.exists()
    view({LABEL: ids[:1]}, at=AT + 1, visitor=ONE)
    view({LABEL: ids[:1]}, at=AT + 2, visitor=TWO)
    count()

    assert counters() == [3, 0, 0]
    assert audit() == []


def test_a_policy_that_is_new_knows_who_has_viewed_already(
    ids: list[int], counted_by: SetPolicy
) -> None:
    view({LABEL: ids[:1]}, 2, visitor=ONE)
    count()
    counted_by(OncePerVisitor())
    view({LABEL: ids[:1]}, 1, visitor=ONE)
    view({LABEL: ids[:1]}, 1, visitor=TWO)
    count()
    assert counters() == [3, 0, 0]
    assert "another policy, 1 per visitor and day" in audit()[0]

    rebuild.rebuild(TOTALS)
    assert counters() == [2, 0, 0]
    assert audit() == []
    counted_by(AtMost(2, per=HOUR))
    rebuild.rebuild(TOTALS)
    assert counters() == [3, 0, 0]
    assert audit() == []
    counted_by(Everything())
    rebuild.rebuild(TOTALS)
    assert counters() == [4, 0, 0]


def test_what_another_policy_counts_meanwhile_is_not_forgotten(
    ids: list[int], counted_by: SetPolicy
) -> None:
    counted_by(OncePerVisitor())
    view({LABEL: ids[:1]}, visitor=ONE)
    count()
    for visitor in (TWO, 9):
        counted_by(Everything())
        view({LABEL: ids[:1]}, visitor=visitor)
        count()
        counted_by(OncePerVisitor())
        view({LABEL: ids[:1]}, visitor=visitor)
        count()

    assert counters() == [3, 0, 0]
    rebuild.rebuild(TOTALS)
    assert counters() == [3, 0, 0]
    assert audit() == []


def test_a_window_that_leaves_the_store_in_part(
    ids: list[int], counted_by: SetPolicy, settings: Settings
) -> None:
    Identity.objects.get_or_create(pk=1)
    counted_by(AtMost(2, per=DAY))
    view({LABEL: ids[:1]}, visitor=ONE)
    view({LABEL: ids[:1]}, 5, visitor=TWO)
    count()
    Identity.objects.update(epoch=F("epoch") + 48)
    settings.COUNTERS_KEEP_DAYS = 1
    view({LABEL: ids[:1]}, 1, visitor=ONE)
    view({LABEL: ids[:1]}, 1, visitor=TWO)
    count()
    view({LABEL: ids[:1]}, 1, visitor=ONE)  # not counted yet
    remove_due()

    assert Segment.objects.count() == 3
    assert Uncounted.objects.get().views == 4
    assert counters() == [4, 0, 0]
    assert audit() == []
    count()
    assert audit() == []
    rebuild.rebuild(TOTALS)
    assert audit() == []
    assert counters() == [5, 0, 0]  # of what has left, one is not known any more


def test_what_leaves_of_a_content_on_several_pages(
    ids: list[int], counted_by: SetPolicy, settings: Settings
) -> None:
    Identity.objects.get_or_create(pk=1)
    counted_by(OncePerVisitor())
    view({LABEL: ids[:2]}, 2, visitor=ONE)
    view({LABEL: ids[1:]}, 2, visitor=ONE)
    view({LABEL: ids[1:]}, 2)
    count()
    Identity.objects.update(epoch=F("epoch") + 48)
    settings.COUNTERS_KEEP_DAYS = 1
    view({LABEL: ids[:1]}, visitor=ONE)
    count()
    remove_due()

    rows = Uncounted.objects.order_by("target_id").values_list("target_id", "views")
    assert list(rows) == [(ids[0], 2), (ids[1], 3), (ids[2], 1)]
    assert counters() == [1, 1 + 2, 1 + 2]
    assert audit() == []


def test_a_counter_that_is_wrong_is_repaired(ids: list[int], counted_by: SetPolicy) -> None:
    counted_by(OncePerVisitor())
    view({LABEL: ids}, 3, visitor=ONE)
    count()
    Content.objects.filter(pk=ids[0]).update(counter=3)
    Visit.objects.all().delete()

    assert len(audit(repair=True)) == 1
    view({LABEL: ids}, 1, visitor=ONE)
    count()
    assert counters() == [1, 1, 1]
    assert audit() == []
    assert "by visitor" in audit(quick=True)[0]


def test_adopted_and_dropped(ids: list[int], counted_by: SetPolicy) -> None:
    counted_by(OncePerVisitor())
    Content.objects.filter(pk=ids[0]).update(counter=50)
    view({LABEL: ids}, 3, visitor=ONE)
    count()
    adopt(LABEL)
    assert counters() == [51, 1, 1]
    drop(TOTALS, force=True)
    view({LABEL: ids}, 1, visitor=TWO)
    count()
    view({LABEL: ids}, 1, visitor=ONE)
    count()
    rebuild.rebuild(TOTALS)

    assert counters() == [52, 2, 2]
    assert audit() == []


def test_what_a_policy_is_called() -> None:
    for policy in (AtMost(3, per=HOUR), OncePerVisitor()):
        found = named(f"{policy.name} (rebuild)")
        assert found
        assert (found.most, found.hours, found.name) == (policy.most, policy.hours, policy.name)
    assert named("people") is named("everything") is None
    for wrong in ({"times": 0}, {"times": 1, "per": 12}):
        with pytest.raises(ValueError, match="at least once"):
            AtMost(**wrong)
