from django.apps import AppConfig
from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class CountersConfig(AppConfig):
    name = "footfall"
    label = "counters"  # of its tables: it stays
    verbose_name = _("Counting")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from footfall import checks  # noqa: F401  # registers them

        # Unless the project has an index of its own, the dashboard is the first thing on it.
        admin.site.index_template = admin.site.index_template or "counters/index.html"
