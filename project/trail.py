"""The trail of what staff have done past the forms of the admin, which keep one of their own."""

import logging
import re
from collections.abc import Callable

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import Error
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch

logger = logging.getLogger(__name__)

SAFE = {"GET", "HEAD", "OPTIONS"}
# Django notes itself what these have done, and `delete_selected`.
NOTED = re.compile(r".*_(add|change|delete|password_change)|login|logout|password_change")
MOST = 100  # of the things that were chosen, so many are named


class Trail:
    """Middleware that adds a LogEntry for each writing request of staff that was not refused.

    It sees every address, so that a new one needs no line of its own. The entry is written after
    the deed: while the database is away then, the server's log has it alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method not in SAFE and response.status_code < 400 and is_staff(request):
            match = request.resolver_match
            if match and (text := deed(request, match)):
                note(request, response.status_code, text, match)
        return response


def is_staff(request: HttpRequest) -> bool:
    """Tell who has asked. A token counts, too: REST framework leaves its user in the request.

    A user who has just deleted their own account has no number; its entries are deleted, too.
    """
    return request.user.is_staff and request.user.pk is not None


def deed(request: HttpRequest, match: ResolverMatch) -> str:
    """Return what was asked for, in a line; "" if nothing was, or Django has noted it."""
    line = f"{request.method} {request.path}"
    if match.app_name != "admin":
        return line
    if NOTED.fullmatch(match.url_name or ""):
        return ""
    if (match.url_name or "").endswith("_changelist"):
        # Of several, Django does the one that `index` points to.
        actions = sorted({*request.POST.getlist("action")} - {"", "delete_selected"})
        if not actions or "_save" in request.POST:
            return ""
        line += f" {','.join(actions)}"
    fields = {name for name in request.POST if name != "csrfmiddlewaretoken"}
    return " ".join([line, *(told(request, name) for name in sorted(fields - {"action"}))])


def told(request: HttpRequest, name: str) -> str:
    return f"{name}={','.join(request.POST.getlist(name)[:MOST])[:2000]}"


def model_of(match: ResolverMatch) -> type[Model] | None:
    """Return what a view of the API is about, as far as it says so."""
    queryset = getattr(getattr(match.func, "cls", None), "queryset", None)
    return None if queryset is None else queryset.model


def note(request: HttpRequest, status: int, text: str, match: ResolverMatch) -> None:
    user = int(request.user.pk or 0)
    flag = ADDITION if status in (201, 202) else CHANGE
    if request.method == "DELETE":
        flag = DELETION
    model = model_of(match)
    try:
        LogEntry.objects.create(
            user_id=user,
            content_type=ContentType.objects.get_for_model(model) if model else None,
            object_id=match.kwargs.get("pk"),
            object_repr=storable(request.path[:200]),
            action_flag=flag,
            change_message=storable(text),
        )
    except Error as error:
        logger.error("no entry for what user %s did: %s: %s", user, text, error)


def storable(text: str) -> str:
    """Return `text` as PostgreSQL holds it: else there would be no entry of a deed with a NUL."""
    return text.replace("\0", "\ufffd")
