from contextlib import suppress

from django.apps import AppConfig, apps
from django.contrib import admin
from django.db import DEFAULT_DB_ALIAS, DatabaseError, transaction
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CountersConfig(AppConfig):
    name = "footfall"
    label = "counters"  # of its tables: it stays
    verbose_name = _("Counting")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from footfall import checks  # noqa: F401  # registers them
        from footfall.projections.kept.rows import watch_deletions

        watch_deletions()

        post_migrate.connect(renew, self, dispatch_uid="counters.identity")

        # Unless the project has an index of its own, the dashboard is the first thing on it.
        if apps.is_installed("django.contrib.admin"):
            admin.site.index_template = admin.site.index_template or "counters/index.html"


def renew(using: str, **kwargs: object) -> None:
    """Give the database an identity if it has none: a flush of Django comes here, too.

    If a request or a test created it, it might be rolled back, and its log would have no database.
    """
    from footfall.identity import ensure_identity
    from footfall.log import forget_owner, memory_log

    if using == DEFAULT_DB_ALIAS:
        with suppress(DatabaseError), transaction.atomic():  # it was migrated to before 0011
            ensure_identity()
    forget_owner()
    memory_log.clear()  # a flush of the test database leaves nothing to be counted
