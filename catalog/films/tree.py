"""The tree of categories: without cycles, and at most MAX_LEVELS deep."""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _

MAX_LEVELS = 10
"""A category without a parent is on the first level."""


def lock(model: type[Model]) -> None:
    """Lock the tree until the end of the transaction.

    Two concurrent moves that are valid on their own can form a cycle. On every database, one row
    stands for the whole tree.
    """
    content_type = ContentType.objects.get_for_model(model)
    ContentType.objects.select_for_update().get(pk=content_type.pk)


def validate_parent(category: Any) -> None:
    """Raise ValidationError unless the category, with all below it, may be below its parent.

    Locks the tree: call it in the transaction that saves the category.
    """
    model = type(category)
    lock(model)
    if category.parent_id is None:
        return
    above = ancestors(model, category.parent_id)
    if category.pk in above:
        raise ValidationError({"parent": _("A category cannot be below itself.")})
    if len(above) + height(model, category) > MAX_LEVELS:
        text = _("The tree may have at most %d levels.") % MAX_LEVELS
        raise ValidationError({"parent": text})


def ancestors(model: type[Model], pk: int | None) -> list[int]:
    """Return the keys from `pk` up to the root, at most one more than there are levels."""
    found: list[int] = []
    while pk is not None and len(found) <= MAX_LEVELS:
        found.append(pk)
        pk = model._default_manager.filter(pk=pk).values_list("parent", flat=True).first()
    return found


def height(model: type[Model], category: Any) -> int:
    """Return the number of levels of `category` and all below it: 1 for a leaf."""
    level, levels = [category.pk] if category.pk else [], 1
    while levels <= MAX_LEVELS:
        level = list(model._default_manager.filter(parent__in=level).values_list("pk", flat=True))
        if not level:
            break
        levels += 1
    return levels
