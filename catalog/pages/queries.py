"""Reads a page from the database."""

from typing import NamedTuple

from django.http import Http404
from django.utils.translation import gettext as _

from catalog.pages.models import Content, Page


class LoadedPage(NamedTuple):
    page: Page
    contents: list[Content]
    """In order, each as its own type; a content may be there twice."""


def load_page(pk: int) -> LoadedPage:
    """Return a page and its contents, in two queries. Raises Http404."""
    try:
        page = Page.objects.get(pk=pk)
    except Page.DoesNotExist:
        raise Http404(_("There is no page %s.") % pk) from None
    contents = (
        Content.objects.filter(placements__page=page)
        .order_by("placements__position", "placements__pk")
        .select_subclasses()
    )
    return LoadedPage(page, list(contents))
