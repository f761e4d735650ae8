"""The audit log of staff: a `LogEntry` for what they do outside the admin's own forms."""

import logging
import re
from collections.abc import Callable

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import Error
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch

logger = logging.getLogger(__name__)

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Django's admin logs these itself, and the action `delete_selected`.
LOGGED_BY_ADMIN = re.compile(r".*_(add|change|delete|password_change)|login|logout|password_change")
SIGNING_IN_AND_OUT = {"admin-login", "rest_framework:login", "rest_framework:logout"}
MAX_VALUES = 100  # of a field, such as the selected rows of an action


class AuditLog:
    """Middleware that adds a LogEntry for each successful unsafe request of staff.

    It covers every URL, so a new view needs no code for it. The entry is written after the view: if
    the database is unavailable then, the action is in the server's log only.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        user = request.user  # by session, or by token: DRF sets it
        is_write = request.method not in SAFE_METHODS and response.status_code < 400
        # A user who has just deleted their own account has no primary key, and no entries any more.
        if is_write and user.is_staff and user.pk is not None:
            match = request.resolver_match
            if match and (message := describe(request, match)):
                add_entry(request, response.status_code, message, match)
        return response


def describe(request: HttpRequest, match: ResolverMatch) -> str:
    """Return the action in one line; "" if there was none, or the admin logs it itself."""
    line = f"{request.method} {request.path}"
    if match.view_name in SIGNING_IN_AND_OUT:
        return ""
    if match.app_name != "admin":
        return line
    if LOGGED_BY_ADMIN.fullmatch(match.url_name or ""):
        return ""
    if (match.url_name or "").endswith("_changelist"):
        # Of several, Django runs the one that `index` points to.
        actions = sorted({*request.POST.getlist("action")} - {"", "delete_selected"})
        if not actions or "_save" in request.POST:
            return ""
        line += f" {','.join(actions)}"
    for name in sorted({*request.POST} - {"csrfmiddlewaretoken", "action"}):
        line += f" {name}={','.join(request.POST.getlist(name)[:MAX_VALUES])[:2000]}"
    return line


def add_entry(request: HttpRequest, status: int, message: str, match: ResolverMatch) -> None:
    user = int(request.user.pk or 0)
    flag = ADDITION if status in (201, 202) else CHANGE
    if request.method == "DELETE":
        flag = DELETION
    model = getattr(getattr(getattr(match.func, "cls", None), "queryset", None), "model", None)
    try:
        LogEntry.objects.create(
            user_id=user,
            content_type=ContentType.objects.get_for_model(model) if model else None,
            object_id=match.kwargs.get("pk"),
            object_repr=replace_nul(request.path[:200]),
            action_flag=flag,
            change_message=replace_nul(message),
        )
    except Error as error:
        logger.error("no audit log entry for user %s: %s: %s", user, message, error)


def replace_nul(text: str) -> str:
    """Replace NUL, which PostgreSQL cannot store, so that it does not prevent an entry."""
    return text.replace("\0", "\ufffd")
