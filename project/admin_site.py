"""The admin's index, by what people do: edit content, watch the counting, look after accounts."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

GROUPS: tuple[tuple[str, Promise | str, tuple[str, ...]], ...] = (
    (
        "content",
        _("Content"),
        ("pages.page", "pages.content", "pages", "books", "films.film", "films", "uploads"),
    ),
    ("counting", _("Counting"), ("counters.dashboard", "counters")),
    ("people", _("People"), ("accounts.user", "auth", "authtoken", "accounts")),
    ("service", _("Service"), ("admin", "films.generationjob", "django_celery_beat")),
)
"""Label and name of each group; then its models and apps, in this order. A model belongs to the
entry that names it, else to that of its app."""


class Site(admin.AdminSite):
    site_header = site_title = "Footfall"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the groups; for `app_label`, or an app that is in no group, Django's entry."""
        apps = super().get_app_list(request, app_label)
        if app_label:
            return apps
        models = {
            model["model"]._meta.label_lower: model for app in apps for model in app["models"]
        }
        named = {entry for _label, _name, entries in GROUPS for entry in entries}
        groups = [
            {
                "name": name,
                "app_label": label,
                "app_url": reverse("admin:index", current_app=self.name),
                "has_module_perms": True,
                "models": [model for entry in entries for model in _of(entry, models, named)],
            }
            for label, name, entries in GROUPS
        ]
        others = [
            app for app in apps if app["app_label"] not in {one.split(".")[0] for one in named}
        ]
        return [group for group in groups if group["models"]] + others


def _of(entry: str, models: dict[str, Any], named: set[str]) -> list[Any]:
    """Return the models of an entry: one, or those of an app that no entry names."""
    if "." in entry:
        return [models[entry]] if entry in models else []
    labels = (one for one in models if one.startswith(f"{entry}.") and one not in named)
    return [models[label] for label in labels]


class Config(AdminConfig):
    default_site = "project.admin_site.Site"
