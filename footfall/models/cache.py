"""What Redis has still to be told of cached pages."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.targets import Target


class Invalidation(Target):
    """A target that was changed, until Redis has forgotten what is prepared of it."""

    counter = models.BooleanField(default=False)
    """Whether its counter went down, which is done by hand."""

    class Meta:
        verbose_name = _("invalidation")
        verbose_name_plural = _("invalidations")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id}"
