"""Throttles the admin's pages that ask for a password.

The attempts are counted together with those of the API.
"""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from accounts.views import account_key, find_account_key
from api.throttling import Throttle, client_ip


@never_cache
def login(request: HttpRequest) -> HttpResponse:
    """The admin's login; 429 after too many attempts by a client or for an account."""
    if request.method != "POST":
        return admin.site.login(request)
    account = find_account_key(request.POST.get("username", ""))
    return throttle(request, client_ip(request), account, admin.site.login)


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
