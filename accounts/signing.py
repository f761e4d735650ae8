"""The admin's pages that ask for a password: it is not guessed there either.

Their tries are those of the API, too: a client that guesses here has no more of them there.
"""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from accounts.views import account_called, one_account
from api.throttling import Throttle, client_of


@never_cache
def login(request: HttpRequest) -> HttpResponse:
    """Answer as the admin does; 429 to a client, or about an account, that has tried too often."""
    if request.method != "POST":
        return admin.site.login(request)
    account = account_called(request.POST.get("username", ""))
    return throttled(request, client_of(request), account, admin.site.login)


@never_cache
def password_change(request: HttpRequest) -> HttpResponse:
    """Answer as the admin does; the old password is not guessed with a session that was stolen."""
    change = admin.site.admin_view(admin.site.password_change, cacheable=True)
    if request.method != "POST" or not admin.site.has_permission(request):
        return change(request)
    return throttled(request, str(request.user.pk), one_account(request.user.pk), change)


def throttled(
    request: HttpRequest,
    client: str,
    account: str | None,
    answer: Callable[[HttpRequest], HttpResponse],
) -> HttpResponse:
    by_client, by_account = Throttle(), Throttle()
    if not by_client.within("login", client):
        return too_many(request, int(by_client.wait()) + 1)
    if account is not None and not by_account.within("login_account", account):
        return too_many(request, int(by_account.wait()) + 1)
    response = answer(request)
    if response.status_code == 302:  # it was the owner
        by_account.forget()
    return response


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    context = {**admin.site.each_context(request), "seconds": seconds}
    response = render(request, "accounts/too_many.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response
