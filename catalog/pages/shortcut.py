"""The short way to a page: past the middleware that reading one does not need."""

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from catalog.pages.views import answer_prepared


class Shortcut:
    """Middleware that answers what is prepared; everything else takes the long way.

    It stands behind the one that sees to HTTPS, and before those for sessions, languages, forms.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        before, _, after = reverse("page-detail", args=(0,)).rpartition("0")
        # As `<int:pk>` has it, but one way to write each number: it becomes part of the answer.
        self.match = re.compile(f"{before}([1-9][0-9]{{0,17}}){after}", re.ASCII).fullmatch

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "GET" and (match := self.match(request.path_info)):
            answer = answer_prepared(request, int(match[1]))
            if answer is not None:
                return answer
        return self.get_response(request)
