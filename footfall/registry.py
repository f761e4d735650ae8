"""Which models are countable: those with a `CounterField`."""

from functools import cache

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import models

from footfall.fields import CounterField
from footfall.policies import Policy


@cache
def countable_models() -> dict[str, type[models.Model]]:
    """Return every countable model by its label: {"pages.content": Content}."""
    return {
        model._meta.label_lower: model
        for model in apps.get_models()
        if any(isinstance(field, CounterField) for field in model._meta.local_fields)
    }


@cache
def counter_field(model: type[models.Model]) -> CounterField:
    """Return the counter of a model, perhaps one that it inherits.

    Raises TypeError if the model is not countable.
    """
    for field in model._meta.concrete_fields:
        if isinstance(field, CounterField):
            return field
    raise TypeError(f"{model._meta.label} is not countable: it has no CounterField.")


def policy_of(model: type[models.Model]) -> Policy:
    """Return what the counter of a model counts. Raises TypeError if it is not countable."""
    return counter_field(model).policy


def limits() -> dict[str, Policy]:
    """Return the policies that count by visitor, by the label of their model."""
    models_by_label = countable_models().items()
    found = {label: policy_of(model) for label, model in models_by_label}
    return {label: policy for label, policy in found.items() if policy.most}


@cache
def counted_as(model: type[models.Model]) -> str:
    """Return the label under which `model` is counted: that of the model that has the counter.

    Raises TypeError if the model is not countable.
    """
    return counter_field(model).model._meta.label_lower


@cache
def key_attribute(model: type[models.Model]) -> str:
    """Return the attribute that has the id under which instances of `model` are counted.

    That of the model that has the counter: a child may have a primary key of its own.
    """
    return counter_field(model).model._meta.pk.attname


def key_of(target: models.Model) -> int | None:
    """Return the id under which a countable instance is counted; None if it is not saved yet."""
    key: int | None = getattr(target, key_attribute(type(target)))
    return key


def content_type_of(model: type[models.Model]) -> ContentType:
    """Return the content type that stands for a countable model in the rollups."""
    return ContentType.objects.get_for_model(model, for_concrete_model=False)


def counter_of(target: models.Model) -> int:
    """Return the counter of a countable instance, as it was read."""
    return int(getattr(target, counter_field(type(target)).attname))
