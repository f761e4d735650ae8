from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class PagesConfig(AppConfig):
    name = "catalog.pages"
    label = "pages"
    verbose_name = _("Pages")

    def ready(self) -> None:
        # A type of content may live in any app; its serializer registers itself when imported.
        autodiscover_modules("serializers")

        from catalog.pages import edits  # needs the models

        edits.watch()
