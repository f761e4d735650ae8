"""Every edit makes what is prepared of the pages that show it stale."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save

from catalog.pages.models import Content, Page, PageContent
from footfall.cache.invalidation import invalidate

TAKEN_FROM = "_taken_from"  # of a place that is being saved: the page on which it was


def pages_showing(instance: Model) -> Iterable[int]:
    """Return the ids of the pages on which an instance is seen."""
    if isinstance(instance, Page):
        return [instance.pk]
    if isinstance(instance, PageContent):
        return [instance.page_id]
    places = PageContent.objects.filter(content_id=instance.pk).order_by()
    return places.values_list("page_id", flat=True).distinct()


def edited(instance: Model, created: bool = False, **kwargs: Any) -> None:
    if not (created and isinstance(instance, (Page, Content))):  # nobody has seen it yet
        invalidate(Page, {*pages_showing(instance), *vars(instance).pop(TAKEN_FROM, ())})


def moved(instance: PageContent, **kwargs: Any) -> None:
    """Before a place is saved: it may be taken from another page, which is told once it is."""
    if instance.pk:
        before = PageContent.objects.filter(pk=instance.pk).exclude(page=instance.page_id)
        vars(instance)[TAKEN_FROM] = list(before.values_list("page_id", flat=True))


def watch() -> None:
    """Connect the signals, model by model: with a receiver for all, Django deletes no rows fast.

    `QuerySet.update` and `bulk_create` send none: call `footfall.cache.invalidation.invalidate`
    after them.
    """
    for model in apps.get_models():
        if issubclass(model, (Page, Content, PageContent)):
            post_save.connect(edited, model, dispatch_uid="pages.edits")
            post_delete.connect(edited, model, dispatch_uid="pages.edits")
    pre_save.connect(moved, PageContent, dispatch_uid="pages.edits")
