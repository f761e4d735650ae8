"""Every URL of the service."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from django_celery_beat.admin import PeriodicTaskAdmin
from drf_spectacular.views import SpectacularSwaggerSplitView

from accounts import logins
from accounts.link_pages import confirm
from api.root import APIRoot
from project import health, metrics
from project.front_page import front_page
from project.openapi import CachedSchemaView

# Shown at the root of the API: name -> URL pattern.
API_ROOT = {
    "pages": "page-list",
    "views": "views",
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

# Without this, users who may only view periodic tasks could run them.
for action in PeriodicTaskAdmin.actions:
    getattr(PeriodicTaskAdmin, action).allowed_permissions = ("change",)

urlpatterns = [
    path("", front_page, name="front"),
    path("favicon.ico", RedirectView.as_view(url=static("favicon.svg"))),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/login/", logins.admin_login, name="admin-login"),  # before those of admin.site.urls
    path("admin/password_change/", logins.password_change),
    path("admin/", admin.site.urls),
    path("api/v1/schema/", CachedSchemaView.as_view(), name="schema"),
    path(
        "api/v1/docs/",
        # Its template cannot render a response to OPTIONS.
        SpectacularSwaggerSplitView.as_view(
            url_name="schema", template_name="docs.html", metadata_class=None
        ),
        name="docs",
    ),
    path("api/v1/", APIRoot.as_view(api_root_dict=API_ROOT), name="api-root"),
    path("api/v1/auth/", include("accounts.urls")),
    path("session/", include("accounts.logins")),
    path("password/", include("accounts.link_pages")),
    path("confirm/<uid>/<token>/", confirm, name="confirmation-link"),
    path("api/v1/", include("catalog.urls")),
    path("api/v1/", include("uploads.urls.api")),
    path("", include("uploads.urls.root")),
]

handler400 = "project.errors.responses.bad_request"
handler404 = "project.errors.responses.not_found"
handler500 = "project.errors.responses.server_error"
