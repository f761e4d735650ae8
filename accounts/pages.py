"""The pages behind the links in mails; the admin's templates dress them."""

from django.contrib.auth.views import PasswordResetCompleteView, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import confirmation

NAMED = {"site_header": "Footfall", "site_title": "Footfall"}
"""What the admin's templates call the site; by themselves "Django administration"."""

urlpatterns = [
    path(
        "set/",
        PasswordResetCompleteView.as_view(
            template_name="accounts/password_set.html", extra_context=NAMED
        ),
        name="password-is-set",
    ),
    path(
        "<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(
            success_url=reverse_lazy("password-is-set"), extra_context=NAMED
        ),
        name="password-link",
    ),
]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Show what a link confirms, with a button: programs that look at mails follow links, too."""
    state, waiting = "asked", None
    try:
        if request.method == "POST":
            confirmation.confirm(uid, token)
            state = "done"
        else:
            waiting = confirmation.find(uid, token)
    except confirmation.Invalid:
        state = "invalid"
    except confirmation.Taken:
        state = "taken"
    status = 200 if state in ("asked", "done") else 400
    title = _("Confirm your e-mail address")
    context = {**NAMED, "title": title, "state": state, "waiting": waiting}
    return render(request, "accounts/confirm.html", context, status=status)
