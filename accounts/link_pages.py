"""The pages behind the links in e-mails, in the admin's templates."""

from django.contrib.auth.views import PasswordResetCompleteView, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import confirmation

SITE_CONTEXT = {"site_header": "Footfall", "site_title": "Footfall"}
"""Context of the admin's templates, instead of "Django administration"."""

urlpatterns = [
    path(
        "set/",
        PasswordResetCompleteView.as_view(
            template_name="accounts/password_set.html", extra_context=SITE_CONTEXT
        ),
        name="password-is-set",
    ),
    path(
        "<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(
            success_url=reverse_lazy("password-is-set"), extra_context=SITE_CONTEXT
        ),
        name="password-link",
    ),
]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Show what a link confirms, and confirm it on POST: mail scanners follow links with GET."""
    state, pending = "asked", None
    try:
        if request.method == "POST":
            confirmation.confirm(uid, token)
            state = "done"
        else:
            pending = confirmation.find(uid, token)
    except confirmation.InvalidLink:
        state = "invalid"
    except confirmation.AlreadyTaken:
        state = "taken"
    status = 200 if state in ("asked", "done") else 400
    title = _("Confirm your e-mail address")
    context = {**SITE_CONTEXT, "title": title, "state": state, "pending": pending}
    return render(request, "accounts/confirm.html", context, status=status)
