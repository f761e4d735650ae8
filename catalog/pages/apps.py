from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class PagesConfig(AppConfig):
    name = "catalog.pages"
    label = "pages"
    verbose_name = _("Pages")

    def ready(self) -> None:
        # Types of content may be in any app; their serializers register themselves on import.
        autodiscover_modules("serializers")

        from catalog.pages import signals  # needs the models

        signals.connect()
