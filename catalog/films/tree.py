"""The tree of categories: without cycles, and at most MAX_LEVELS deep."""

from typing import TYPE_CHECKING

from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from catalog.films.models import Category

MAX_LEVELS = 10
"""A category without a parent is on the first level."""


class InvalidParent(Exception):
    """The category cannot have this parent; the message says why."""


def lock(model: "type[Category]") -> None:
    """Lock the tree until the end of the transaction.

    Two concurrent moves that are valid on their own can form a cycle. On every database, one row
    stands for the whole tree.
    """
    content_type = ContentType.objects.get_for_model(model)
    ContentType.objects.select_for_update().get(pk=content_type.pk)


def validate_parent(category: "Category") -> None:
    """Raise InvalidParent unless the category, with all below it, may be below its parent.

    Locks the tree: call it in the transaction that saves the category.
    """
    model = type(category)
    lock(model)
    if category.parent_id is None:
        return
    above = ancestors(model, category.parent_id)
    if category.pk in above:
        raise InvalidParent(_("A category cannot be below itself."))
    if len(above) + height(model, category) > MAX_LEVELS:
        raise InvalidParent(_("The tree may have at most %d levels.") % MAX_LEVELS)


def ancestors(model: "type[Category]", pk: int | None) -> list[int]:
    """Return the keys from `pk` up to the root, at most one more than there are levels."""
    found: list[int] = []
    while pk is not None and len(found) <= MAX_LEVELS:
        found.append(pk)
        pk = model.objects.filter(pk=pk).values_list("parent", flat=True).first()
    return found


def height(model: "type[Category]", category: "Category") -> int:
    """Return the number of levels of `category` and all below it: 1 for a leaf."""
    level, levels = [category.pk] if category.pk else [], 1
    while levels <= MAX_LEVELS:
        level = list(model.objects.filter(parent__in=level).values_list("pk", flat=True))
        if not level:
            break
        levels += 1
    return levels
