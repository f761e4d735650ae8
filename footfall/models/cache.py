"""Cached pages and counters that Redis has yet to remove."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.targets import Target


class Invalidation(Target):
    """A target that was changed, until Redis has removed the pages that are cached for it."""

    counter_lowered = models.BooleanField(default=False)
    """Whether its counter went down, as only an adjustment or a repair does it."""

    class Meta:
        verbose_name = _("invalidation")
        verbose_name_plural = _("invalidations")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id}"
