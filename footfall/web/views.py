"""Class-based views that record a view of what they show."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import models
from django.http import HttpRequest, HttpResponseBase
from django.views.generic import DetailView

from footfall.record import record

if TYPE_CHECKING:
    BaseDetailView = DetailView[Any]
else:
    BaseDetailView = DetailView


class RecordsView:
    """What views that are counted have in common.

    A response that is rendered later is counted when it is rendered: a template that fails counts
    nothing.
    """

    object: Any
    request: Any

    def get_viewed(self) -> Iterable[models.Model]:
        """Return what is viewed beside `self.object`, as one event with it."""
        return ()

    def is_counted(self) -> bool:
        """Tell whether this view counts: override it to leave out the author's own, for example."""
        return True

    def is_read(self, response: HttpResponseBase) -> bool:
        """Tell whether it was a GET, and answered with 200."""
        return self.request.method == "GET" and response.status_code == 200

    def record_once_rendered(self, response: HttpResponseBase) -> bool:
        """Record the view when the response is rendered; return False if it is already."""
        if getattr(response, "is_rendered", True):
            return False
        response.add_post_render_callback(self.record_view)  # type: ignore[attr-defined]
        return True

    def record_view(self, response: HttpResponseBase) -> None:
        """Record it. Raises Unacknowledged if neither Redis nor the database takes the view."""
        if response.status_code == 200 and self.is_counted():
            record(self.object, self.get_viewed(), request=self.request)


class CountedViewMixin(RecordsView):
    """Records a view of `self.object` once a GET has been answered with 200.

    For `DetailView` and its like, before it in the bases.
    """

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().get(request, *args, **kwargs)  # type: ignore[misc]
        if self.is_read(response) and not self.record_once_rendered(response):
            self.record_view(response)
        return response


class AsyncCountedViewMixin(RecordsView):
    """The same for a view whose `get` is a coroutine, and sets `self.object`.

    `record_view`, and what it asks, is called in the thread that Django has for the database.
    """

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = await super().get(  # type: ignore[misc]
            request, *args, **kwargs
        )
        if self.is_read(response) and not self.record_once_rendered(response):
            await sync_to_async(self.record_view)(response)
        return response


class CountedDetailView(CountedViewMixin, BaseDetailView):  # type: ignore[misc]  # any response
    """A `DetailView` whose object is counted."""
