"""The router for projects whose countable models are in several databases."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS


class CountersRouter:
    """Lets other databases than `default` have the one table that copies of counters need there.

    Before all others in DATABASE_ROUTERS: `["footfall.routers.CountersRouter", ...]`. Where models
    are is for the other routers to say.
    """

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        if app_label != "counters" or db == DEFAULT_DB_ALIAS:
            return None
        return model_name == "countercopy"
