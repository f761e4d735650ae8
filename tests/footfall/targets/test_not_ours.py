"""Models that are not ours: their counters are in a table of the counting."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models.signals import post_delete
from django.test import RequestFactory
from django.utils import timezone

from footfall.admin import ChartedAdmin
from footfall.flush import flush_all
from footfall.models import Audit, CountableQuerySet, KeptCounter
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import run_audit
from footfall.ops.figures import export, view_figures
from footfall.projections.kept.rows import forget_deleted
from footfall.projections.ranking import Window, rank
from footfall.projections.series import Interval, series
from footfall.record import record
from footfall.registry import (
    countable_models,
    counted_as,
    counter_of,
    key_of,
    owner_of,
    register,
)
from footfall.signals import counted
from footfall.templatetags.footfall import views, views_sparkline
from tests.support.targets import LongNote, Note, Person, Tag

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("at_home", "real_delay"),
]


def viewed(row: Any, times: int, ago: timedelta = timedelta()) -> None:
    at = int((timezone.now() - ago).timestamp() * 1000)
    for _ in range(times):
        record(row, at=at)


@pytest.fixture(params=[LongNote, Person, Tag])
def rows(request: pytest.FixtureRequest) -> list[Any]:
    """Of the last 12 hours: 1, 3 and 0 views; the first has 5 of 20 hours ago."""
    model = request.param
    name = "slug" if model is Tag else "title"
    rows = [model.objects.create(**{name: f"row-{number}"}) for number in range(3)]
    viewed(rows[0], 1)
    viewed(rows[0], 5, timedelta(hours=20))
    viewed(rows[1], 3)
    flush_all()
    return [model.objects.get(pk=row.pk) for row in rows]


def test_it_has_the_same_queries(rows: list[Any]) -> None:
    of: Any = CountableQuerySet.of(type(rows[0]))
    since = timezone.now() - timedelta(hours=12)
    ordered: Any = of.order_by("title" if hasattr(rows[0], "title") else "slug")

    assert [one.hits for one in ordered.with_counter(name="hits")] == [6, 3, 0]
    assert [one.views for one in ordered.with_views(since=since)] == [1, 3, 0]
    assert list(of.most_viewed()) == rows[:2]
    assert list(of.most_viewed(days=0.5)) == [rows[1], rows[0]]
    assert of.most_viewed(days=0.5).filter(pk=rows[1].pk).get().views == 3
    assert of.with_views(since=since).filter(views__gt=1).count() == 1


def test_its_tags_and_series_too(rows: list[Any]) -> None:
    model = type(rows[0])

    assert views(rows[0]) == "6"
    assert counter_of(rows[2]) == 0
    assert "<polyline" in views_sparkline(rows[0])
    assert sum(point.views for point in series(rows[0], Interval.DAY, *_days())) == 6
    assert CountableQuerySet.of(model.objects.filter(pk=rows[1].pk)).most_viewed().get() == rows[1]


def _days() -> Any:
    return Interval.DAY.latest(3, timezone.now())


def test_it_is_audited_and_adjusted(rows: list[Any]) -> None:
    assert adjust(type(rows[0]), rows[0].pk, to=50, why="known elsewhere")
    KeptCounter.objects.filter(counter=3).update(counter=4)

    (line,) = run_audit(Audit.objects.create(), repair=True)
    flush_all()

    assert "counter 4, events say 3; set to 3" in line
    for row, counter in zip(rows, [50, 3, 0], strict=True):
        row.refresh_from_db()
        assert counter_of(row) == counter
    assert list(run_audit(Audit.objects.create())) == []


def test_the_dashboard_and_the_export_show_it(rows: list[Any]) -> None:
    model = countable_models()[counted_as(type(rows[0]))]
    for window in Window:
        rank(model, window)

    what = view_figures.asked({"model": model._meta.label, "id": str(rows[0].pk), "range": "7d"})
    one = view_figures.viewed(what, lambda model: ())
    everything = view_figures.asked({"model": model._meta.label, "window": "all", "range": "7d"})
    ranking = view_figures.viewed(everything, lambda model: ())["ranking"]["rows"]
    lines = list(export.lines(model, everything.range))

    assert what.error == ""
    assert one["figures"][0]["value"] == 6
    assert [(row["title"], row["ranked"].views) for row in ranking] == [
        (str(rows[0]), 6), (str(rows[1]), 3),
    ]  # fmt: skip
    assert f"id={rows[1].pk}" in ranking[1]["query"]
    assert sum(int(line.split(",")[3]) for line in lines[1:]) == 9
    assert {line.split(",")[0] for line in lines[1:]} == {str(row.pk) for row in rows[:2]}
    made_up = view_figures.asked({"model": model._meta.label, "id": "9" * 30})
    assert made_up.target is None
    assert made_up.error


def test_the_admin_shows_it(rows: list[Any], rf: RequestFactory) -> None:
    shown = ChartedAdmin(type(rows[0]), AdminSite())
    shown.list_display = ["views_counted"]
    request = rf.get("/", {"id": [rows[1].pk, "no-such-key"]})
    request.user = get_user_model()(is_superuser=True, is_active=True, is_staff=True)

    listed = shown.get_queryset(request)
    adjusting: Any = shown.adjust_view(request)

    ordered = listed.order_by("-views_counted")
    assert [shown.views_counted(row) for row in ordered] == ["6", "3", "0"]
    assert shown.views_chart(rows[0]).count('class="ff-chart"') == 2
    assert adjusting.context_data["targets"] == [(rows[1], 3)]


def test_commands_take_its_key(rows: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    label = counted_as(type(rows[0]))
    key = str(rows[1].pk)

    call_command("counters", "adjust", label, key, "--to=8", "--why=known elsewhere")
    call_command("counters", "events", f"--target={label}:{key}")
    with pytest.raises(CommandError):
        call_command("counters", "adjust", label, "no-such-key", "--to=8", "--why=x")

    events = capsys.readouterr().out.splitlines()
    assert events[0].endswith("Views that wait come on top.")
    assert [json.loads(line)["targets"] for line in events[1:]] == [{label: [rows[1].pk]}] * 3 or [
        json.loads(line)["targets"] for line in events[1:]
    ] == [{label: [key]}] * 3


def test_receivers_get_its_model_and_key(rows: list[Any]) -> None:
    got: list[Any] = []

    def receive(sender: Any, counters: Any, **kwargs: Any) -> None:
        got.append((sender, counters))

    counted.connect(receive)
    try:
        viewed(rows[2], 2)
        flush_all()
    finally:
        counted.disconnect(receive)

    assert got == [(owner_of(type(rows[0])), {rows[2].pk: 2})]


def test_its_counter_goes_with_the_row(rows: list[Any]) -> None:
    rows[0].delete()
    model: Any = type(rows[1])
    model.objects.all().delete()

    assert not KeptCounter.objects.exists()


def test_rows_that_are_gone_are_looked_up_together(
    rows: list[Any], django_assert_max_num_queries: Any
) -> None:
    model = countable_models()[counted_as(type(rows[0]))]
    record(rows[2])
    flush_all()
    kept = KeptCounter.objects.get(target_id=key_of(rows[0]) or 0)
    rows[0].delete()
    kept.save(force_insert=True)  # as if nothing had told of it

    with django_assert_max_num_queries(6):
        assert forget_deleted(model) == 1


def test_the_counter_of_a_model_that_is_registered_late_goes_too() -> None:
    """Its app is ready after the counting."""
    post_delete.disconnect(sender=Person, dispatch_uid="counters.forget")
    register(Person)
    person = Person.objects.create(title="a person")
    record(person)
    flush_all()
    assert KeptCounter.objects.exists()

    person.delete()

    assert not KeptCounter.objects.exists()


def test_a_child_is_counted_as_its_parent() -> None:
    note = LongNote.objects.create(title="a note")
    record(note)
    record(Note.objects.get(pk=note.pk))
    flush_all()

    assert counter_of(note) == counter_of(Note.objects.get(pk=note.pk)) == 2
