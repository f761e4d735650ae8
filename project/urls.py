"""Every address of the service."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from django_celery_beat.admin import PeriodicTaskAdmin
from drf_spectacular.views import SpectacularSwaggerSplitView

from accounts import signing
from accounts.pages import confirm
from api.root import APIRoot
from project import health, metrics
from project.schema import Schema

# What a client finds at the root of the API: name -> route.
API = {
    "pages": "page-list",
    "top": "content-top",
    "books": "book-list",
    "categories": "category-list",
    "films": "film-list",
    "comments": "comment-list",
    "register": "register",
    "me": "account",
    "login": "login",
    "logout": "logout",
    "schema": "schema",
    "docs": "docs",
    "upload": "upload",
    "files": "file-list",
}

# Without this they are for all users who may look at the tasks.
for action in PeriodicTaskAdmin.actions:
    getattr(PeriodicTaskAdmin, action).allowed_permissions = ("change",)
admin.site.site_header = admin.site.site_title = "Footfall"

urlpatterns = [
    path("favicon.ico", RedirectView.as_view(url=static("favicon.svg"))),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/login/", signing.login),  # before those of Django
    path("admin/password_change/", signing.password_change),
    path("admin/", admin.site.urls),
    path("api/v1/schema/", Schema.as_view(), name="schema"),
    path(
        "api/v1/docs/",
        # Its page has no template for what OPTIONS would tell.
        SpectacularSwaggerSplitView.as_view(
            url_name="schema", template_name="docs.html", metadata_class=None
        ),
        name="docs",
    ),
    path("api/v1/", APIRoot.as_view(names=API), name="api-root"),
    path("api/v1/auth/", include("accounts.urls")),
    path("password/", include("accounts.pages")),
    path("confirm/<uid>/<token>/", confirm, name="confirmation-link"),
    path("api/v1/", include("catalog.pages.urls")),
    path("api/v1/", include("uploads.urls.api")),
    path("", include("uploads.urls.root")),
    path("api/v1/", include("catalog.books.urls")),
    path("api/v1/", include("catalog.films.urls")),
]

handler400 = "project.errors.malformed"
handler404 = "project.errors.not_found"
handler500 = "project.errors.broken"
