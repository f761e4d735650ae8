"""Counters of targets whose keys are no integers."""

from uuid import uuid4

import pytest

from footfall.flush import flush_all
from footfall.models import KeptCounter, Projection, Rollup
from footfall.ops.audit import differences
from footfall.record import record
from footfall.registry import key_of
from tests.support.targets import Product, Tag

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_home")]


def test_views_of_a_uuid_are_counted_in_its_own_column() -> None:
    one, two = Product.objects.create(title="one"), Product.objects.create(title="two")
    record(one)
    record(one, [two])
    record(Tag.objects.create(slug="a-tag"), [two])

    flush_all()

    assert dict(Product.objects.values_list("title", "counter")) == {"one": 2, "two": 2}
    assert Tag.objects.get().counter == 1
    assert KeptCounter.objects.count() == 3
    assert Rollup.objects.get(target_id=key_of(one) or 0).views == 2
    assert list(differences()) == []


def test_a_made_up_key_makes_no_row() -> None:
    there = Product.objects.create(title="there")
    gone = Product.objects.create(title="gone")
    Product.objects.filter(pk=gone.pk).delete()
    made_up = Product.objects.create(title="never")
    with_other_key = Product.from_db("default", ["id", "title", "counter"], [uuid4(), "no", 0])
    record(there, [with_other_key])
    record(gone) if gone.pk else None
    made_up.delete()

    flush_all()

    assert list(KeptCounter.objects.values_list("target_id", flat=True)) == [key_of(there)]
    totals = Projection.objects.get(name="totals:targets.product")
    assert totals.dropped == {"target_deleted": 2}


def test_an_instance_that_is_not_saved_raises() -> None:
    with pytest.raises(ValueError, match="save it first"):
        record(Product(title="new"))
