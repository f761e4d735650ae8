"""The admin's login, which passwords are not guessed at: it is throttled as the API's is."""

from typing import cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.views import SignIn
from api.throttling import ByAccount, ByClient


class ByNameInForm(ByAccount):
    """By the name that Django reads: REST framework would take a file of that name for it."""

    def named(self, request: Request, view: APIView) -> str:
        return str(request._request.POST.get("username", ""))


@never_cache
def login(request: HttpRequest) -> HttpResponse:
    """Answer as the admin does; 429 to a client, or about an account, that has tried too often.

    The tries are those of the API, too: whoever guesses here has no more of them there.
    """
    if request.method != "POST":
        return admin.site.login(request)
    asked, view = Request(request), cast(APIView, SignIn)
    by_client, by_account = ByClient(), ByNameInForm()
    for throttle in (by_client, by_account):
        if not throttle.allow_request(asked, view):
            return too_many(request, int(throttle.wait() or 0) + 1)
    response = admin.site.login(request)
    if response.status_code == 302:  # it was the owner
        by_account.forget()
    return response


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    context = {**admin.site.each_context(request), "seconds": seconds}
    response = render(request, "accounts/too_many.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response
