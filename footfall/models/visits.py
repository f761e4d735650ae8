"""Who has viewed what in a window, for counters that count by visitor."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.targets import OfModel, Target


class Visit(Target):
    """How often one visitor has viewed one target in one window."""

    pk = models.CompositePrimaryKey("content_type_id", "beside", "target_id", "window", "visitor")
    beside = models.BooleanField(default=False)
    """Whether a recount has counted it."""
    window = models.BigIntegerField()
    """See `footfall.store.visits.window_of`."""
    visitor = models.BigIntegerField()
    """The 64 bits of `Meta.visitor` as a signed number."""
    times = models.BigIntegerField()

    class Meta:
        verbose_name = _("visits in a window")
        verbose_name_plural = _("visits by window")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id} {self.window}: {self.times}"


class VisitWindow(OfModel):
    """A window of which all visits are in `Visit`, up to the position of `totals`.

    It saves reading them from the store: a window without a row is read again.
    """

    pk = models.CompositePrimaryKey("content_type_id", "window")
    window = models.BigIntegerField()
    epoch = models.BigIntegerField()
    """In which it was last used: what is not used any more is removed."""

    class Meta:
        verbose_name = _("window of visits")
        verbose_name_plural = _("windows of visits")

    def __str__(self) -> str:
        return f"{self.content_type_id}: {self.window}"


class Uncounted(Target):
    """Views in the base that a policy by visitor did not count when they left the store."""

    pk = models.CompositePrimaryKey("content_type_id", "target_id")
    views = models.BigIntegerField(_("views"))

    class Meta:
        verbose_name = _("views in the base that are not counted")
        verbose_name_plural = _("views in the base that are not counted")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id}: {self.views}"
