from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PagesConfig(AppConfig):
    name = "catalog.pages"
    label = "pages"
    verbose_name = _("Pages")

    def ready(self) -> None:
        from catalog.pages import signals  # needs the models

        signals.connect()
