"""Saving an instance never touches its counter."""

import pytest
from django.core import serializers
from django.db import models
from django.test.utils import isolate_apps

from catalog.pages.models import Content, Page, Text
from footfall.fields import CounterField

pytestmark = pytest.mark.django_db


@pytest.fixture
def text() -> Text:
    """An instance that was read before 5 views were counted."""
    text = Text.objects.create(title="A text", text="...")
    Content.objects.filter(pk=text.pk).update(counter=5)
    return text


def counter(text: Text) -> int:
    return Content.objects.get(pk=text.pk).counter


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


def test_a_dump_is_loaded_as_it_is(text: Text) -> None:
    dump = serializers.serialize("json", Content.objects.filter(pk=text.pk))
    Content.objects.filter(pk=text.pk).update(counter=0)

    for loaded in serializers.deserialize("json", dump):
        loaded.save()

    assert counter(text) == 5


@isolate_apps("tests.footfall")
def test_a_model_without_an_integer_key_is_not_countable() -> None:
    class Named(models.Model):  # noqa: DJ008
        name = models.CharField(max_length=10, primary_key=True)
        counter = CounterField()

        class Meta:
            app_label = "counters"

    assert [error.id for error in Named._meta.get_field("counter").check()] == ["counters.E001"]
