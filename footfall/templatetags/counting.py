"""Filters of the dashboard's templates."""

from datetime import datetime

from django import template
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from footfall.common.wording import direction, duration, number, percent, share

register = template.Library()
for words in (direction, number, duration, percent, share):
    register.filter(words)


@register.filter
def label(model: type[models.Model]) -> str:
    """Return "pages.content"."""
    return model._meta.label_lower


@register.filter
def ago(at: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago it was, in the largest unit. `now` is by the clock that wrote `at`."""
    if at is None:
        return _("never")
    return _("%s ago") % duration(max(0.0, ((now or timezone.now()) - at).total_seconds()))
