from importlib import import_module

from django.conf import settings
from django.urls import path

view = import_module(f"loadtest.peers.{settings.PEER}.views").Page

urlpatterns = [path("api/v1/pages/<int:pk>/", view.as_view(), name="page-detail")]
