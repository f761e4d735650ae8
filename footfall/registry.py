"""Which models are countable: those with a `CounterField`."""

from functools import cache

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import models

from footfall.fields import CounterField


@cache
def countable_models() -> dict[str, type[models.Model]]:
    """Return every countable model by its label: {"pages.content": Content}."""
    return {
        model._meta.label_lower: model
        for model in apps.get_models()
        if any(isinstance(field, CounterField) for field in model._meta.local_fields)
    }


@cache
def counted_as(model: type[models.Model]) -> str:
    """Return the label under which `model` is counted: that of the model that has the counter.

    Raises TypeError if the model is not countable.
    """
    for field in model._meta.concrete_fields:
        if isinstance(field, CounterField):
            return field.model._meta.label_lower
    raise TypeError(f"{model._meta.label} is not countable: it has no CounterField.")


def content_type_of(model: type[models.Model]) -> ContentType:
    """Return the content type that stands for a countable model in the rollups."""
    return ContentType.objects.get_for_model(model, for_concrete_model=False)


def counter_name(model: type[models.Model]) -> str:
    """Return the name of the field that holds the counter of a countable model."""
    (name,) = (f.name for f in model._meta.local_fields if isinstance(f, CounterField))
    return name


def counter_column(model: type[models.Model]) -> str:
    """Return the name of that field's column."""
    return str(model._meta.get_field(counter_name(model)).column)  # type: ignore[union-attr]


def key_column(model: type[models.Model]) -> str:
    """Return the name of the column of a model's primary key."""
    return str(model._meta.get_field(model._meta.pk.name).column)  # type: ignore[union-attr]


def counter_of(target: models.Model) -> int:
    """Return the counter of a countable instance, as it was read."""
    model = countable_models()[counted_as(type(target))]
    return int(getattr(target, counter_name(model)))
