"""Countable models with other keys, in another database, or without a field: for the tests."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock
from uuid import uuid4

from django.apps.registry import Apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, models
from django.db.models.signals import post_delete

from footfall import registry
from footfall.fields import CounterField
from footfall.models import CountableQuerySet, Ranking
from footfall.projections import copies
from footfall.projections.kept import rows as kept

OTHER = "other"
own = Apps()


class Product(models.Model):
    """A UUID, and a counter of its own."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    title = models.CharField(max_length=50)
    counter = CounterField()
    objects = CountableQuerySet.as_manager()

    class Meta:
        app_label, apps = "targets", own

    def __str__(self) -> str:
        return self.title


class Tag(models.Model):
    """A text as key."""

    slug = models.SlugField(primary_key=True)
    counter = CounterField()
    objects = CountableQuerySet.as_manager()

    class Meta:
        app_label, apps = "targets", own

    def __str__(self) -> str:
        return self.slug


class Note(models.Model):
    """No counter: a model that is not ours."""

    title = models.CharField(max_length=50)
    objects: Any = models.Manager()

    class Meta:
        app_label, apps = "targets", own

    def __str__(self) -> str:
        return self.title


class LongNote(Note):
    """Its child, as a page of Wagtail."""

    text = models.TextField()

    class Meta:
        app_label, apps = "targets", own


class Person(models.Model):
    """No counter, and a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    title = models.CharField(max_length=50)
    objects: Any = models.Manager()

    class Meta:
        app_label, apps = "targets", own

    def __str__(self) -> str:
        return self.title


class Shop(models.Model):
    """In the other database."""

    title = models.CharField(max_length=50)
    counter = CounterField()
    objects = CountableQuerySet.as_manager()

    class Meta:
        app_label, apps = "targets", own

    def __str__(self) -> str:
        return self.title


class Ware(models.Model):
    """In the other database, with a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    title = models.CharField(max_length=50)
    counter = CounterField()
    objects = CountableQuerySet.as_manager()

    class Meta:
        app_label, apps = "targets", own

    def __str__(self) -> str:
        return self.title


AT_HOME: tuple[type[models.Model], ...] = (Product, Tag, Note, LongNote, Person)
ELSEWHERE = (Shop, Ware)
WHERE = {model._meta.label for model in ELSEWHERE}


class ShopRouter:
    """Knows where the models are; without opinion on the others."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return OTHER if model._meta.label in WHERE else None

    db_for_write = db_for_read


@contextmanager
def tables(*known: type[models.Model]) -> Iterator[None]:
    """Have the tables of these models be there."""
    with ExitStack() as stack:
        for model in known:
            using = connections[OTHER] if model in ELSEWHERE else connection
            with using.schema_editor() as editor:
                editor.create_model(model)
            stack.callback(_drop, model, using)
        yield


@contextmanager
def countable(*known: type[models.Model]) -> Iterator[None]:
    """Have these models, whose tables are there, be known; those without a counter are registered.

    Their rows are gone at the end.
    """
    with ExitStack() as stack:
        stack.callback(registry.forget_models)
        stack.callback(copies.forget)
        stack.callback(_forget_types)
        everything = [*registry.all_models(), *known]
        stack.enter_context(mock.patch.object(registry, "all_models", return_value=everything))
        stack.enter_context(mock.patch.dict(registry._registered))
        for model in known:
            stack.callback(_empty, model)
        for model in (Note, Person):
            if model in known:
                registry.register(model)
        registry.forget_models()
        # As a migration would: threads that meet one at once are a deadlock on MySQL.
        ContentType.objects.get_for_models(*known, for_concrete_models=False)
        kept.watch_deletions()
        for model in known:
            stack.callback(post_delete.disconnect, sender=model, dispatch_uid="counters.forget")
        yield


def _forget_types() -> None:
    """Else all tables would be made anew after each test, see `tests/support/tables.py`."""
    Ranking.objects.all().delete()
    rows: Any = ContentType.objects.filter(app_label="targets")
    rows._raw_delete(connection.alias)
    ContentType.objects.clear_cache()


def _empty(model: type[models.Model]) -> None:
    rows = model._base_manager.all()
    rows._raw_delete(OTHER if model in ELSEWHERE else connection.alias)


def _drop(model: type[models.Model], using: Any) -> None:
    with using.schema_editor() as editor:
        editor.delete_model(model)
