"""Views by kind of agent, in the tables: what old versions may do with them."""

import pytest
from django.db import DatabaseError, connection, transaction

from catalog.pages.models import Content
from footfall import sql
from footfall.models import KIND_COLUMNS, Agent, Base, HourTotal, Kind, Recounted, Rollup
from footfall.projections.run import apply_new_events
from footfall.registry import content_type_of
from footfall.sql.batch import summed
from tests.support.projections import view
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db

LABEL = "pages.content"
ROBOTS = (2, 0, 2, 0, 0, 0)
NOON = AT // HOUR + 12


@pytest.mark.parametrize("table", [Rollup, HourTotal, Base, Recounted])
def test_a_flush_of_before_fails_rather_than_counting_without_kinds(
    table: type[Rollup] | type[HourTotal] | type[Base] | type[Recounted],
) -> None:
    kind = content_type_of(Content).pk
    if issubclass(table, HourTotal):
        sql.add_hour_totals(Content, {NOON: ROBOTS})
    else:
        sql.add_views(table, kind, summed([(NOON, 7, ROBOTS)]))
    target, its_id = ("", "") if table is HourTotal else (", target_id", ", 7")
    hour = table._default_manager.values_list("hour", flat=True).get()
    statement = f"""
        INSERT INTO {table._meta.db_table} (content_type_id, hour, views{target})
        VALUES (%s, %s, 1{its_id})
    """  # noqa: S608
    ends = {"mysql": "ON DUPLICATE KEY UPDATE views = views + 1"}
    update = f"ON CONFLICT (content_type_id, hour{target}) DO UPDATE SET views = 3"

    at = connection.ops.adapt_datetimefield_value(hour)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{statement} {ends.get(connection.vendor, update)}", [kind, at])

    assert table._default_manager.values_list("views", "robot").get() == (2, 2)


def test_columns_are_added_to_each_other(db: None) -> None:
    """Also if some are missing in one of them, or in both."""
    for rows in (
        [(NOON, 7, (2, 1, 0, 0, 0, 0)), (NOON, 8, (1, 0, 0, 0, 0, 0))],
        [(NOON, 7, (1, 0, 0, 0, 0, 0)), (NOON + 1, 8, (5, 0, 0, 0, 0, 0))],
        [(NOON, 8, (0, -1, 1, 0, 0, 0)), (NOON, 7, (0, 0, 2, 0, 0, 0)), (NOON, 9, (0,) * 6)],
    ):
        sql.add_rollups(Content, summed(rows))

    found = Rollup.objects.order_by("hour", "target_id")
    assert list(found.values_list("target_id", "views", "person", "robot", "library")) == [
        (7, 3, 1, 2, 0),
        (8, 1, -1, 1, 0),
        (8, 5, 0, 0, 0),
    ]


def test_a_content_that_is_viewed_with_different_others() -> None:
    ids = [Content.objects.create(title=title).pk for title in "abc"]
    Agent.objects.create(hash=5, string="Robot", kind=Kind.ROBOT)
    view({LABEL: ids[:2]}, 2, agent=5)
    view({LABEL: ids[1:]}, 3)
    view({LABEL: ids}, at=AT + HOUR)
    while apply_new_events(force=True).more:
        pass

    found = Rollup.objects.order_by("hour", "target_id")
    assert list(found.values_list("target_id", "views", "robot")) == [
        (ids[0], 2, 2), (ids[1], 5, 2), (ids[2], 3, 0), *((one, 1, 0) for one in ids)
    ]  # fmt: skip
    assert list(HourTotal.objects.order_by("hour").values_list("views", "robot")) == [
        (2 * 2 + 3 * 2, 2 * 2),
        (3, 0),
    ]


def test_every_kind_but_unknown_has_a_column() -> None:
    """Their order is that of the kinds: `reclassify.moves` takes a row by the number of a kind."""
    assert list(KIND_COLUMNS) == [kind for kind in Kind if kind != Kind.UNKNOWN]
    assert list(KIND_COLUMNS) == list(range(1, len(KIND_COLUMNS) + 1))
