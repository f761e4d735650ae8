"""Queries that are compiled once."""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from footfall.common.compiled import Compiled
from footfall.models import Projection

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def rows() -> list[Projection]:
    made = [
        Projection(name=f"totals:shop.{name}", number=number, key=7, events=1, moved_at=AT)
        for number, name in enumerate("abc")
    ]
    for row in made:
        row.dropped = {"x": row.number}
    Projection.objects.bulk_create(made)
    return made


def facts(row: Projection) -> list[object]:
    return [getattr(row, field.attname) for field in Projection._meta.concrete_fields]


def test_rows_are_as_django_returns_them(rows: list[Projection]) -> None:
    after = Compiled(lambda number: Projection.objects.filter(number__gt=number).order_by("name"))

    for number in (0, 1, 2):
        wanted = Projection.objects.filter(number__gt=number).order_by("name")
        assert list(map(facts, after.all(number))) == list(map(facts, wanted))
    found = after.first(1)
    assert found is not None
    assert (found.dropped, found.moved_at) == ({"x": 2}, AT)
    found.save(update_fields=["dropped"], force_update=True)


def test_columns_are_as_django_returns_them(rows: list[Projection]) -> None:
    columns = ("dropped", "name", "moved_at")
    named = Compiled(
        lambda key, name: Projection.objects.filter(name=name, key=key).values_list(*columns)
    )

    assert named.all(7, "totals:shop.b") == [({"x": 1}, "totals:shop.b", AT)]
    assert named.first(8, "totals:shop.b") is None


def test_a_column_that_was_left_out_is_read_when_it_is_asked_for(rows: list[Projection]) -> None:
    found = Compiled(lambda: Projection.objects.defer("dropped").order_by("-name")[:1]).first()

    assert found is not None
    assert found.get_deferred_fields() == {"dropped"}
    assert found.dropped == {"x": 2}


def test_an_argument_is_never_a_part_of_the_statement(rows: list[Projection]) -> None:
    named = Compiled(lambda name: Projection.objects.filter(name=name).values_list("name"))

    assert named.all("' OR ''='") == named.all("%s") == []


def test_rows_are_locked_as_the_query_says(rows: list[Projection]) -> None:
    locked = Compiled(lambda: Projection.objects.select_for_update().values_list("name"))

    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        assert len(locked.all()) == 3
    locks = "FOR UPDATE" in asked.captured_queries[-1]["sql"]
    assert locks == connection.features.has_select_for_update
