"""Counters of targets whose keys are no integers."""

from uuid import uuid4

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from footfall.cache import cached_pages
from footfall.flush import flush_all, ingest
from footfall.models import Audit, KeptCounter, Projection, Rollup
from footfall.ops.audit.run import differences, run_audit
from footfall.policies import DAY, OncePerVisitor, People, Policy
from footfall.projections import compact
from footfall.projections.kept.rows import keep
from footfall.projections.run import apply_new_events
from footfall.record import record
from footfall.recount.rebuild import rebuild
from footfall.registry import countable_models, counter_of, key_of, register
from tests.support.agents import BROWSER
from tests.support.concurrency import run_at_once
from tests.support.targets import Person, Product, Tag
from tests.support.views import AT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_home")]


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


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_meet_a_key_at_once_make_one_row() -> None:
    product = Product.objects.create(title="new")
    record(product)
    ingest()
    model, target = countable_models()["targets.product"], key_of(product) or 0

    run_at_once(
        [lambda: keep(model, [target], lambda: {target: str(product.pk)})] * 3
        + [lambda: apply_new_events(force=True)]
    )
    flush_all()

    assert KeptCounter.objects.count() == 1
    assert Product.objects.get().counter == 1


def test_a_cached_page_is_of_its_key() -> None:
    product = Product.objects.create(title="one")
    lease = cached_pages.lease(Product, product.pk)
    assert lease

    cached_pages.fill(lease, product, [product], b"a page")
    cached = cached_pages.read_and_record(Product, product.pk)
    flush_all()

    assert cached == [b"a page", b"0"]
    product.refresh_from_db()
    assert product.counter == 1


@pytest.mark.parametrize("policy", [OncePerVisitor(DAY), People()])
def test_policies_count_as_of_integers(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    register(Person, policy=policy)
    person = Person.objects.create(title="one")
    for agent in (BROWSER, BROWSER, "curl/8.1"):
        request = RequestFactory().get("/", headers={"user-agent": agent})
        record(person, request=request)
    flush_all()

    assert counter_of(person) == 2
    rebuild(f"totals:{person._meta.label_lower}")
    assert counter_of(person) == 2
    assert list(run_audit(Audit.objects.create())) == []


def test_old_hours_of_deleted_rows_are_compacted(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.COUNTERS_HOURLY_DAYS = 31
    monkeypatch.setattr(compact, "CHUNK_SIZE", 2)
    products = [Product.objects.create(title=f"{number}") for number in range(5)]
    record(products[0], products[1:], at=AT)
    flush_all()
    kept = products[2]
    Product.objects.exclude(pk=kept.pk).delete()

    compact.compact()

    rows = Rollup.objects.values_list("target_id", "views")
    assert dict(rows) == {compact.DELETED: 4, key_of(kept): 1}
    assert list(run_audit(Audit.objects.create())) == []
