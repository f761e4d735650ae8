"""The tree of categories: no category is below itself, and none is deeper than DEPTH."""

from typing import TYPE_CHECKING

from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from catalog.films.models import Category

DEPTH = 10
"""Levels at most; a category without a parent is on the first one."""


class Misplaced(Exception):
    """The category cannot stand there; the text says why."""


def lock(model: "type[Category]") -> None:
    """Wait until nobody else changes the tree, and keep others waiting until the commit.

    Two moves that are right by themselves can make a ring together. The lock is one row that stands
    for the whole tree, on every database.
    """
    kind = ContentType.objects.get_for_model(model)
    ContentType.objects.select_for_update().get(pk=kind.pk)


def check_place(category: "Category") -> None:
    """Raise Misplaced unless the category may stand below its parent, with all that is below it.

    Locks the tree: call it in the transaction that saves the category.
    """
    model = type(category)
    lock(model)
    if category.parent_id is None:
        return
    above = ancestors(model, category.parent_id)
    if category.pk in above:
        raise Misplaced(_("A category cannot stand below itself."))
    if len(above) + height(model, category) > DEPTH:
        raise Misplaced(_("The tree may have at most %d levels.") % DEPTH)


def ancestors(model: "type[Category]", pk: int | None) -> list[int]:
    """Return the keys from `pk` up to the root; no more of them than a tree can have."""
    found: list[int] = []
    while pk is not None and len(found) <= DEPTH:
        found.append(pk)
        pk = model.objects.filter(pk=pk).values_list("parent", flat=True).first()
    return found


def height(model: "type[Category]", category: "Category") -> int:
    """Return how many levels `category` and what is below it take: 1 for a leaf."""
    level, levels = [category.pk] if category.pk else [], 1
    while levels <= DEPTH:
        level = list(model.objects.filter(parent__in=level).values_list("pk", flat=True))
        if not level:
            break
        levels += 1
    return levels
