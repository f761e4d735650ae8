from django.apps import AppConfig
from django.contrib import admin
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CountersConfig(AppConfig):
    name = "footfall"
    label = "counters"  # of its tables: it stays
    verbose_name = _("Counting")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from footfall import checks  # noqa: F401  # registers them
        from footfall.log import forget_owner

        # A flush of Django sends it, too: then the database has another identity.
        post_migrate.connect(
            lambda **kwargs: forget_owner(), self, weak=False, dispatch_uid="counters.identity"
        )

        # Unless the project has an index of its own, the dashboard is the first thing on it.
        admin.site.index_template = admin.site.index_template or "counters/index.html"
