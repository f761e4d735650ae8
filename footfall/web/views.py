"""Class-based views that record a view of what they show."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.http import HttpRequest, HttpResponseBase
from django.views.generic import DetailView

from footfall.record import record

if TYPE_CHECKING:
    BaseDetailView = DetailView[Any]
else:
    BaseDetailView = DetailView


class CountedViewMixin:
    """Records a view of `self.object` once a GET has been answered with 200.

    For `DetailView` and its like, before it in the bases. A response that is rendered later is
    counted when it is rendered: a template that fails counts nothing.
    """

    object: Any
    request: HttpRequest

    def get_viewed(self) -> Iterable[models.Model]:
        """Return what is viewed beside `self.object`, as one event with it."""
        return ()

    def is_counted(self) -> bool:
        """Tell whether this view counts: override it to leave out the author's own, for example."""
        return True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().get(request, *args, **kwargs)  # type: ignore[misc]
        if request.method == "GET" and response.status_code == 200:
            render_later: Any = getattr(response, "add_post_render_callback", None)
            if render_later:
                render_later(self.record_view)
            else:
                self.record_view(response)
        return response

    def record_view(self, response: HttpResponseBase) -> None:
        """Record it. Raises Unacknowledged if neither Redis nor the database takes the view."""
        if response.status_code == 200 and self.is_counted():
            record(self.object, self.get_viewed(), request=self.request)


class CountedDetailView(CountedViewMixin, BaseDetailView):  # type: ignore[misc]  # any response
    """A `DetailView` whose object is counted."""
