"""What a reader of a page gets, read from the database."""

from dataclasses import dataclass

from django.http import Http404
from django.utils.translation import gettext as _

from catalog.pages.models import Content, Page


@dataclass(frozen=True)
class Payload:
    """A page and what stands on it: in order, each as its own type, some perhaps twice."""

    page: Page
    contents: list[Content]


def load(pk: int) -> Payload:
    """Return the page in two queries, whatever the number of contents. Raises Http404."""
    try:
        page = Page.objects.get(pk=pk)
    except Page.DoesNotExist:
        raise Http404(_("There is no page %s.") % pk) from None
    contents = (
        Content.objects.filter(places__page=page)
        .order_by("places__position", "places__pk")
        .select_subclasses()
    )
    return Payload(page, list(contents))
