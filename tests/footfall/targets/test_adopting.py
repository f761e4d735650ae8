"""What was counted before, of targets with other keys, of others' models, in another database."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.template import Context, Template
from django.utils import timezone
from redis import Redis

from footfall.flush import flush_all
from footfall.record import record
from footfall.registry import counter_of
from footfall.testing import recorded
from footfall.web.beacon import target_of, token_of
from tests.support import hitcount
from tests.support.agents import BROWSER
from tests.support.hitcount import Hit, hit_count
from tests.support.targets import LongNote, Note, Product, Tag

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_delay")]


def run(*options: str) -> str:
    out = StringIO()
    call_command("counters", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture
def hash_key(server: Redis, prefix: str) -> str:
    return f"{prefix}:views"


@pytest.fixture
def hitcount_tables(transactional_db: None) -> Iterator[None]:
    hitcount.create_tables()
    yield
    hitcount.drop_tables()


@pytest.mark.usefixtures("at_home")
def test_a_hash_of_uuids(server: Redis, hash_key: str) -> None:
    one, two = Product.objects.create(title="one"), Product.objects.create(title="two")
    server.hset(hash_key, mapping={str(one.pk): 5, two.pk.hex: 7})
    record(one)
    flush_all()

    assert "12 views of 2 targets" in run("adopt", "targets.product", "--redis-hash", hash_key)
    assert "0 views of 0 targets" in run("adopt", "targets.product", "--redis-hash", hash_key)

    run("flush")
    assert dict(Product.objects.values_list("title", "counter")) == {"one": 6, "two": 7}
    assert "clean" in run("audit")


@pytest.mark.usefixtures("at_home", "hitcount_tables")
def test_hits_of_a_model_that_is_not_ours() -> None:
    note, long = (
        Note._default_manager.create(title="a"),
        LongNote._default_manager.create(title="b", text="..."),
    )
    row = hit_count(note, 3)
    Hit.objects.create(hitcount=row, created=timezone.now(), user_agent=BROWSER)
    hit_count(long, 4)

    assert "7 views of 2 targets" in run("adopt", "targets.note", "--from", "hitcount")
    record(long)
    flush_all()

    assert [counter_of(note), counter_of(long)] == [3, 5]
    assert "clean" in run("audit")
    text = "{% load footfall %}{% views_since note days=1 %} {% people note %} {% visitors note %}"
    assert Template(text).render(Context({"note": note})) == "1 1 0"
    assert Template(text).render(Context({"note": long})) == "1 0 0"


@pytest.mark.usefixtures("at_home")
def test_a_beacon_of_any_key() -> None:
    for target in (
        Product.objects.create(title="one"),
        Tag.objects.create(slug="a:tag"),
        Note._default_manager.create(title="a"),
        LongNote._default_manager.create(title="b", text="..."),
    ):
        record(target)
        record(target_of(token_of(target).rpartition(":")[0]))

        one, other = recorded()[-2:]
        assert one == other
        flush_all()
        assert counter_of(type(target)._default_manager.get(pk=target.pk)) == 2
