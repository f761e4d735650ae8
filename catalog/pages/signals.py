"""Invalidates the cached pages that show what was changed."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save

from catalog.pages.models import Content, Page, PageContent
from footfall.cache.invalidation import invalidate

MOVED_FROM = "_moved_from"
"""Attribute of a placement that is being saved: the pages from which it is moved."""


def pages_showing(instance: Model) -> Iterable[int]:
    """Return the ids of the pages that show an instance."""
    if isinstance(instance, Page):
        return [instance.pk]
    if isinstance(instance, PageContent):
        return [instance.page_id]
    placements = PageContent.objects.filter(content_id=instance.pk).order_by()
    return placements.values_list("page_id", flat=True).distinct()


def invalidate_cache(instance: Model, created: bool = False, **kwargs: Any) -> None:
    if not (created and isinstance(instance, (Page, Content))):  # a new one is on no cached page
        invalidate(Page, {*pages_showing(instance), *vars(instance).pop(MOVED_FROM, ())})


def note_move(instance: PageContent, **kwargs: Any) -> None:
    """Before a placement is saved, note the page from which it is moved, for `invalidate_cache`."""
    if instance.pk:
        before = PageContent.objects.filter(pk=instance.pk).exclude(page=instance.page_id)
        vars(instance)[MOVED_FROM] = list(before.values_list("page_id", flat=True))


def connect() -> None:
    """Connect the receivers to each model: with one receiver for all, Django deletes no rows fast.

    `QuerySet.update` and `bulk_create` send no signals: call `invalidate` after them, from
    `footfall.cache.invalidation`.
    """
    for model in apps.get_models():
        if issubclass(model, (Page, Content, PageContent)):
            post_save.connect(invalidate_cache, model, dispatch_uid="pages.invalidate")
            post_delete.connect(invalidate_cache, model, dispatch_uid="pages.invalidate")
    pre_save.connect(note_move, PageContent, dispatch_uid="pages.note_move")
