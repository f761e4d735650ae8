"""Reads lists, series and the dashboard from the replica, where there is one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import Error
from django.http import HttpRequest, HttpResponseBase

from footfall.common.unavailable import is_database_away
from project.databases.replica import is_configured, reading, replica

LISTS = frozenset(
    {
        "book-list", "category-list", "comment-list", "content-top", "content-views",
        "film-comments", "film-list", "page-list",
    }
)  # fmt: skip
"""Not files: their status is polled by who has just sent one."""
DASHBOARD = frozenset({"admin:counters_dashboard_changelist", "admin:counters_dashboard_views"})
"""Not its health, which must be fresh."""

Respond = Callable[[HttpRequest], HttpResponseBase]
View = Callable[..., HttpResponseBase]


class ReadReplica:
    """Must be the last: it calls the view itself.

    A client that is signed in gets lists from the primary, since it may have written just now.
    """

    def __init__(self, get_response: Respond) -> None:
        if not is_configured():
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> HttpResponseBase | None:
        if not may_read(request):
            return None
        with reading() as is_reading:
            if not is_reading:
                return None
            try:
                response = rendered(view(request, *args, **kwargs))
            except Error as error:
                if not is_database_away(error):
                    raise
                response = None
        if response is not None and response.status_code != 503:
            return response
        replica.forget()
        return None  # it is called again, with the primary


def may_read(request: HttpRequest) -> bool:
    if request.method not in ("GET", "HEAD") or request.resolver_match is None:
        return False
    name = request.resolver_match.view_name
    is_known = (
        "HTTP_AUTHORIZATION" in request.META or settings.SESSION_COOKIE_NAME in request.COOKIES
    )
    return name in DASHBOARD or (name in LISTS and not is_known)


def rendered(response: HttpResponseBase) -> HttpResponseBase:
    """Render it here: what a template asks for comes from the replica, too."""
    render = getattr(response, "render", None)
    return render() if callable(render) and not getattr(response, "is_rendered", True) else response
