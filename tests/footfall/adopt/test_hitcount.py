"""What django-hitcount has counted is taken over, once, with its hours and kinds of agents."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from catalog.pages.models import Content
from footfall.adopt.hitcount import Hitcount
from footfall.adopt.taking import take
from footfall.common.failpoints import ENVIRONMENT
from footfall.flush import flush, project
from footfall.models import (
    AgentRule,
    Audit,
    Base,
    Correction,
    CountableQuerySet,
    HourTotal,
    Kind,
    Projection,
    Recount,
    Rollup,
)
from footfall.ops.audit.run import run_audit
from footfall.policies import People
from footfall.record import record
from footfall.registry import counter_field
from tests.support import processes
from tests.support.agents import BROWSER, ROBOT
from tests.support.concurrency import run_at_once
from tests.support.hitcount import BlacklistUserAgent, BlockedIP, Hit, HitCount, hit_count
from tests.support.pages import make_text
from tests.support.processes import manage

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("hitcount_tables", "real_delay"),
]

LABEL = "pages.content"
Run = Callable[..., str]


@pytest.fixture
def contents() -> list[Content]:
    return [Content.objects.get(pk=make_text().pk) for _ in range(3)]


def hits(row: HitCount, *sent: tuple[datetime, str], ip: str | None = "192.0.2.1") -> None:
    Hit.objects.bulk_create(
        Hit(hitcount=row, created=at, user_agent=agent, ip=ip, session="s") for at, agent in sent
    )


def counters(contents: list[Content]) -> list[int]:
    return [Content.objects.get(pk=one.pk).counter for one in contents]


@pytest.fixture
def moved(contents: list[Content]) -> datetime:
    """Ten hits of the first content, of which four are kept; three of the second. Returns when."""
    at = timezone.now().replace(minute=30, second=0, microsecond=0) - timedelta(days=2)
    first = hit_count(contents[0], 10)
    hits(first, (at, BROWSER), (at, BROWSER), (at, ROBOT), (at + timedelta(hours=1), "?"))
    hit_count(contents[1], 3)
    return at


def test_totals_hours_and_kinds(contents: list[Content], moved: datetime, run: Run) -> None:
    record(contents[0])
    flush()
    expected = (
        f"{LABEL}: 13 views of 2 targets from hitcount_hit_count {{}} in the base\n"
        "4 of them by the hour, of known kinds: 2 person, 1 robot\n"
    )

    assert run("adopt", LABEL, "--from", "hitcount", "--dry-run") == expected.format("would be")
    assert counters(contents) == [1, 0, 0]
    assert run("adopt", LABEL, "--from", "hitcount") == expected.format("are")

    assert counters(contents) == [11, 3, 0]
    hour = moved.astimezone(UTC).replace(minute=0)
    rows = Rollup.objects.filter(target_id=contents[0].pk, hour__lte=moved + timedelta(hours=1))
    assert list(rows.order_by("hour").values_list("hour", "views", "person", "robot")) == [
        (hour, 3, 2, 1),
        (hour + timedelta(hours=1), 1, 0, 0),
    ]
    ranked: CountableQuerySet[Content] = CountableQuerySet(Content)
    (most,) = ranked.most_viewed(days=7)[:1]
    assert (most.pk, most.views) == (contents[0].pk, 5)  # type: ignore[attr-defined]
    assert "clean" in run("audit")


def test_a_second_run_takes_only_what_was_hit_since(
    contents: list[Content], moved: datetime, run: Run
) -> None:
    run("adopt", LABEL, "--from", "hitcount")

    said = run("adopt", LABEL, "--from", "hitcount")

    assert said.splitlines()[0].startswith(f"{LABEL}: 0 views of 0 targets")
    assert "13 views were taken before" in said
    assert counters(contents) == [10, 3, 0]

    HitCount.objects.filter(object_pk=contents[0].pk).update(hits=12)
    HitCount.objects.filter(object_pk=contents[1].pk).update(hits=1)
    hits(HitCount.objects.get(object_pk=contents[0].pk), (timezone.now(), BROWSER))
    said = run("adopt", LABEL, "--from", "hitcount")

    assert "2 views of 1 targets" in said
    assert "1 of them by the hour, of known kinds: 1 person" in said
    assert "1 targets have less there than was taken before" in said
    assert counters(contents) == [12, 3, 0]
    assert "clean" in run("audit")
    ledger = Correction.objects.filter(target_id=contents[0].pk).order_by("pk")
    assert [(one.before, one.after) for one in ledger] == [(0, 10), (10, 12)]


def test_a_repair_knows_what_was_taken(contents: list[Content], moved: datetime, run: Run) -> None:
    run("adopt", LABEL, "--from", "hitcount")
    Content.objects.filter(pk=contents[0].pk).update(counter=77)
    Content.objects.filter(pk=contents[1].pk).update(counter=0)
    Rollup.objects.filter(target_id=contents[0].pk).delete()
    HourTotal.objects.all().delete()

    run("audit", "--repair")

    assert counters(contents) == [10, 3, 0]
    assert "clean" in run("audit")
    for kind in ("totals", "hourly"):
        assert "0 " in run("rebuild", f"{kind}:{LABEL}")


def test_a_counter_of_people_gets_no_robots(
    contents: list[Content], moved: datetime, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is by the hour only people, and all of what has no time."""
    monkeypatch.setattr(counter_field(Content), "policy", People())

    run("adopt", LABEL, "--from", "hitcount")

    assert counters(contents) == [8, 3, 0]
    assert "clean" in run("audit")
    assert "0 views of 0 targets" in run("adopt", LABEL, "--from", "hitcount")


def test_operators_rules_tell_kinds(contents: list[Content], run: Run) -> None:
    AgentRule.objects.create(match="exact", value="Own/1", kind=Kind.LIBRARY)
    AgentRule.objects.create(match="addresses", value="10.1.0.0/16", kind=Kind.MONITOR)
    row, at = hit_count(contents[0], 3), timezone.now()
    hits(row, (at, "Own/1"))
    hits(row, (at, BROWSER), ip="10.1.7.7")
    hits(row, (at, BROWSER), ip=None)

    said = run("adopt", LABEL, "--from", "hitcount")

    assert "3 of them by the hour, of known kinds: 1 person, 1 monitor, 1 library" in said


def test_what_is_blocked_becomes_rules(contents: list[Content], run: Run) -> None:
    BlacklistUserAgent.objects.create(user_agent="Bad/1")
    BlacklistUserAgent.objects.create(user_agent=" ")
    BlockedIP.objects.create(ip="198.51.100.7")
    hits(hit_count(contents[0], 1), (timezone.now(), "Bad/1"))
    options = ("adopt", LABEL, "--from", "hitcount", "--rules")

    assert "2 rules for what is blocked there would be made" in run(*options, "--dry-run")
    assert not AgentRule.objects.exists()
    said = run(*options)
    assert "2 rules for what is blocked there\n" in said
    assert "1 of them by the hour, of known kinds: 1 robot" in said
    assert "0 rules for" in run(*options)

    rules = AgentRule.objects.order_by("pk").values_list("match", "value", "kind")
    assert [*rules] == [
        ("exact", "Bad/1", Kind.ROBOT),
        ("addresses", "198.51.100.7/32", Kind.MONITOR),
    ]


def test_of_more_hits_than_were_counted_the_latest_are_taken(
    contents: list[Content], run: Run
) -> None:
    now = timezone.now()
    row = hit_count(contents[0], 3)
    hits(row, *((now - timedelta(hours=hours), BROWSER) for hours in (0, 0, 5, 5, 9)))

    run("adopt", LABEL, "--from", "hitcount")

    assert counters(contents) == [3, 0, 0]
    assert Rollup.objects.get(target_id=contents[0].pk).views == 2
    assert "clean" in run("audit")


def test_what_was_counted_of_a_child_and_of_what_is_gone(contents: list[Content], run: Run) -> None:
    text = make_text()
    hit_count(text, 2)
    hit_count(Content.objects.get(pk=text.pk), 5)
    gone = make_text()
    hit_count(gone, 7)
    key = gone.pk
    gone.delete()

    said = run("adopt", LABEL, "--from", "hitcount")

    assert "7 views of 1 targets" in said
    assert f"7 views are of objects that do not exist, and left: {key}" in said
    assert Content.objects.get(pk=text.pk).counter == 7


def test_a_table_of_another_name(contents: list[Content], run: Run) -> None:
    with pytest.raises(CommandError, match="there is no table own_counts: name it with --table"):
        run("adopt", LABEL, "--from", "hitcount", "--table", "own_counts")
    hit_count(contents[0], 4)

    said = run("adopt", LABEL, "--from", "hitcount", "--hits-table", "none")

    assert "4 views of 1 targets" in said


def test_an_audit_that_runs_meanwhile_takes_nothing_away(
    contents: list[Content], moved: datetime, run: Run
) -> None:
    """It has copied the base before."""
    record(contents[2])
    flush()

    def adopt(label: str, done: int, of: int) -> None:
        if label == "events" and not Base.objects.exists():
            run("adopt", LABEL, "--from", "hitcount")

    lines = list(run_audit(Audit(), repair=True, progress=adopt))

    assert counters(contents) == [10, 3, 1]
    assert [line for line in lines if "another process recounts it, or gave it up" in line]
    assert not Recount.objects.filter(label=LABEL).exists()
    assert "clean" in run("audit")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failpoint", ["before_adopt_commit", "after_adopt_commit"])
def test_a_run_that_is_killed_takes_once(
    contents: list[Content], failpoint: str, environment: dict[str, str], run: Run
) -> None:
    hit_count(contents[0], 10)

    died = processes.run(
        {**environment, ENVIRONMENT: failpoint},
        manage, "counters", "adopt", LABEL, "--from", "hitcount",
    )  # fmt: skip

    assert died.returncode == -signal.SIGKILL
    record(contents[0])
    flush()
    run("adopt", LABEL, "--from", "hitcount")
    assert counters(contents) == [11, 0, 0]
    assert "clean" in run("audit")
    HitCount.objects.all().delete()


def test_it_goes_on_with_views_that_are_not_counted_yet(
    contents: list[Content], moved: datetime, run: Run
) -> None:
    record(contents[0])

    run("adopt", LABEL, "--from", "hitcount")
    flush()
    project(force=True)

    assert counters(contents) == [11, 3, 0]
    assert Projection.objects.get(name=f"totals:{LABEL}").counted_before == "no"
    assert "clean" in run("audit")


@pytest.mark.django_db(transaction=True)
def test_runs_at_once_take_once(contents: list[Content]) -> None:
    hit_count(contents[0], 10)
    hit_count(contents[1], 3)

    run_at_once([lambda: take(Content, Hitcount(Content))] * 3)

    assert counters(contents) == [10, 3, 0]
    assert Correction.objects.count() == 2
    HitCount.objects.all().delete()
