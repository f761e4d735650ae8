"""A project that has the addresses of the distribution."""

import pytest
from django.urls import include, path
from pytest_django import Settings


class Urls:
    urlpatterns = (path("footfall/", include("footfall.urls")),)


@pytest.fixture(autouse=True)
def project(settings: Settings) -> None:
    settings.ROOT_URLCONF = Urls
    settings.MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
