"""System checks of the product's settings."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from footfall.conf import SETTINGS


@checks.register
def check_settings(**kwargs: Any) -> Iterator[checks.CheckMessage]:
    for setting in SETTINGS:
        if setting.old_name and hasattr(settings, setting.old_name):
            text = f"The setting {setting.old_name} is now called {setting.name}."
            yield checks.Warning(text, id="counters.W001")
        try:
            setting.read()
        except ImproperlyConfigured as error:
            yield checks.Error(str(error), id="counters.E001")
