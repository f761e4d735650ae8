"""A client that reads through the WSGI application: by the fast path, else by Django."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.client import ClientHandler

from catalog.pages.fast_path import FastPath


class Reader(Client):
    """Django's test client bypasses the WSGI application; this one takes the fast path first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.handler = Handler(enforce_csrf_checks=False)


class Handler(ClientHandler):
    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        response = HttpResponse()

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            assert status == "200 OK"
            for name, value in headers:
                response.headers[name] = value

        body = list(FastPath(lambda environ, start: [])(request.META, start))
        if not body:
            return super().get_response(request)
        response.content = b"".join(body)
        return response
