"""Addresses for a project: `path("footfall/", include("footfall.urls"))`."""

from django.urls import path

from footfall.web.beacon import beacon

app_name = "footfall"
urlpatterns = [path("view/", beacon, name="beacon")]
