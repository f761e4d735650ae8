"""Saving an instance never touches its counter."""

import pytest
from django.core import serializers
from django.db import models
from django.test.utils import isolate_apps

import footfall.models
from catalog.pages.models import Content, Page, Text
from footfall.fields import CounterField

pytestmark = pytest.mark.django_db

FIELDS = Content._meta.concrete_fields


@pytest.fixture
def text() -> Text:
    """An instance that was read before 5 views were counted."""
    text = Text.objects.create(title="A text", text="...")
    Content.objects.filter(pk=text.pk).update(counter=5)
    return text


def counter(text: Text) -> int:
    return Content.objects.get(pk=text.pk).counter


def test_the_field_is_found_beside_the_base_class() -> None:
    assert footfall.models.CounterField is CounterField


def test_a_stale_instance_does_not_write_its_counter(text: Text) -> None:
    text.title = "Another title"
    text.save()

    assert counter(text) == 5


def test_a_stale_parent_does_not_write_its_counter(text: Text) -> None:
    parent = Content(pk=text.pk, title="Another title", counter=1, created_at=text.created_at)
    parent.save()

    assert counter(text) == 5


@pytest.mark.parametrize("fields", [["counter"], ["title", "counter"]])
def test_not_even_when_it_is_named(text: Text, fields: list[str]) -> None:
    text.counter = 99
    text.save(update_fields=fields)

    assert counter(text) == 5


def test_an_instance_can_be_saved_twice(text: Text) -> None:
    text.save()
    text.save()

    assert counter(text) == 5


def test_a_new_row_starts_at_zero_a_copy_too(text: Text) -> None:
    copy = Text.objects.get(pk=text.pk)
    copy.pk = copy.id = None
    copy.save()

    assert (counter(copy), counter(text)) == (0, 5)
    assert copy.counter == 0
    assert Page.objects.create(title="A page", counter=7).counter == 0


def dumped(*models: type[models.Model]) -> str:
    """Return a dump of all rows of these models, as `dumpdata` makes it."""
    rows = [row for model in models for row in model._default_manager.all()]
    return str(serializers.serialize("json", rows))


def load(dump: str) -> None:
    for loaded in serializers.deserialize("json", dump):
        loaded.save()


def test_an_old_dump_does_not_take_back_what_was_counted_since(text: Text) -> None:
    page = Page.objects.create(title="A page")
    dump = dumped(Page, Content, Text)
    Content.objects.update(counter=9, title="Another title")
    Page.objects.update(counter=7)

    load(dump)

    assert (counter(text), Page.objects.get(pk=page.pk).counter) == (9, 7)
    assert Text.objects.get(pk=text.pk).title == "A text"


def test_what_a_dump_brings_back_has_its_counter(text: Text) -> None:
    dump = dumped(Content, Text)
    Text.objects.get(pk=text.pk).delete()

    load(dump)

    assert counter(text) == 5
    assert Text.objects.get(pk=text.pk).text == "..."


def test_a_dump_of_a_proxy_is_the_same(text: Text) -> None:
    with isolate_apps("catalog.pages"):

        class Other(Content):
            class Meta:
                app_label = "pages"
                proxy = True

    content = Content.objects.get(pk=text.pk)
    stale = Other(**{field.attname: getattr(content, field.attname) for field in FIELDS})
    Content.objects.update(counter=9)

    stale.save_base(raw=True)

    assert counter(text) == 9


@isolate_apps("tests.footfall")
def test_a_model_whose_key_is_no_text_is_not_countable() -> None:
    class Named(models.Model):  # noqa: DJ008
        name = models.FloatField(primary_key=True)
        counter = CounterField()

        class Meta:
            app_label = "counters"

    assert [error.id for error in Named._meta.get_field("counter").check()] == ["counters.E003"]
