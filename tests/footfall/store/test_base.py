"""What the base begins with at an upgrade: what is in the rollups, but not in the store."""

from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from catalog.pages.models import Content
from footfall.flush import project
from footfall.models import COLUMNS, Base, Projection, Rollup, Segment
from footfall.projections.run import apply_new_events
from footfall.registry import content_type_of
from footfall.store import compact as compacting
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
KINDS = ", ".join(["target_id", "hour", *COLUMNS])


def begin_base() -> dict[int, int]:
    """Run the step of the migration; return the views in the base by id."""
    migration = import_module("footfall.migrations.0012_base")
    with connection.execute_wrapper(with_kinds):
        migration.begin_base(apps, SimpleNamespace(connection=connection))
    views: dict[int, int] = {}
    for target, times in Base.objects.values_list("target_id", "views"):
        views[target] = views.get(target, 0) + times
    return views


def with_kinds(execute: Any, sql: str, *arguments: Any) -> Any:
    """The tables had no kinds of agents then."""
    views = "target_id, hour, views"
    for end in (")", " FROM"):
        sql = sql.replace(f"{views}{end}", f"{KINDS}{end}")
    return execute(sql, *arguments)


def roll_up(**views: int) -> None:
    """Add to the rollups as before there was a store: {"c7": 3}."""
    kind = content_type_of(Content)
    Rollup.objects.bulk_create(
        Rollup(content_type=kind, target_id=int(key[1:]), hour=timezone.now(), views=times)
        for key, times in views.items()
    )


def test_without_a_store_it_is_the_rollups() -> None:
    roll_up(c7=3, c8=1)

    assert begin_base() == {7: 3, 8: 1}


def test_what_is_in_the_store_is_not_in_the_base() -> None:
    view({LABEL: [7, 9], "pages.page": [1]}, times=2)
    view({LABEL: [7]}, at=5 * HOUR + 1_763_683_200_000)
    project(force=True)
    roll_up(c7=3)

    assert begin_base() == {7: 3}


def test_what_the_rollups_do_not_have_yet_is_not_subtracted() -> None:
    view({LABEL: [7]})
    project(force=True)
    view({LABEL: [7]}, times=9)
    view({"pages.page": [1]}, times=9)
    apply_new_events(force=True, kinds=["totals"])
    Projection.objects.filter(name="hourly:pages.page").delete()
    roll_up(c7=3)

    assert begin_base() == {7: 3}


def test_what_cannot_be_read_again_stays_in_the_base() -> None:
    view({LABEL: [7]}, times=2)
    project(force=True)
    Segment.objects.update(data=b"?")

    assert begin_base() == {7: 2}


def test_segments_that_a_worker_compacts_meanwhile_are_subtracted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers of the version before run on while the tables are migrated."""
    for _ in range(4):
        view({LABEL: [7]})
    project(force=True)
    migration = import_module("footfall.migrations.0012_base")
    monkeypatch.setattr(migration, "CHUNK_EVENTS", 1)
    monkeypatch.setattr(migration, "ROWS_PER_QUERY", 2)
    monkeypatch.setattr(compacting, "MIN_AGE", timedelta(days=-1))
    views = 0

    for _labels, summed in migration.stored_views(apps, {LABEL: 4}):
        views += sum(summed.hours.get(LABEL, {}).get(AT // HOUR, {}).values())
        compacting.compact()

    assert Segment.objects.count() == 1
    assert views == 4
