"""The pages that ask for a password: signing in, the admin's login and its password change.

The attempts are throttled, and counted together with those of the API.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from accounts.views import account_key, find_account_key
from api.throttling import Throttle, client_ip


@never_cache
def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin's login, for staff; 429 after too many attempts by a client or for an account."""
    return throttled_login(request, admin.site.login)


@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Signs any user in with a session; throttled as the admin's login is."""
    login: Any = LoginView.as_view(template_name="sign_in.html")
    return throttled_login(request, login)


def throttled_login(
    request: HttpRequest, login: Callable[[HttpRequest], HttpResponse]
) -> HttpResponse:
    if request.method != "POST":
        return login(request)
    account = find_account_key(request.POST.get("username", ""))
    return throttle(request, client_ip(request), account, login)


@never_cache
def password_change(request: HttpRequest) -> HttpResponse:
    """The admin's password change; 429 if a stolen session is used to guess the old password."""
    change = admin.site.admin_view(admin.site.password_change, cacheable=True)
    if request.method != "POST" or not admin.site.has_permission(request):
        return change(request)
    return throttle(request, str(request.user.pk), account_key(request.user.pk), change)


def throttle(
    request: HttpRequest,
    client: str,
    account: str | None,
    view: Callable[[HttpRequest], HttpResponse],
) -> HttpResponse:
    by_client, by_account = Throttle(), Throttle()
    is_allowed = by_client.allow("login", client) and (
        account is None or by_account.allow("login_account", account)
    )
    if is_allowed:
        response = view(request)
        if response.status_code == 302:  # the password was right
            by_account.reset()
        return response
    seconds = int(by_client.wait() or by_account.wait()) + 1
    context = {**admin.site.each_context(request), "seconds": seconds}
    response = render(request, "accounts/throttled.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


app_name = "rest_framework"  # DRF's browsable API links to the names of this namespace
urlpatterns = [
    path("login/", sign_in, name="login"),
    path("logout/", LogoutView.as_view(next_page="front"), name="logout"),
]
