"""The tables of what is only shown: sums that are kept ready, and what audits found."""

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy as _

from counters.targets import OfModel


class HourTotal(OfModel):
    """Views of all targets of one model in one hour: the sum of their rollups.

    Kept by the flush, so that charts of everything read one row per hour.
    """

    pk = models.CompositePrimaryKey("content_type_id", "hour")
    hour = models.DateTimeField(_("hour"))
    views = models.BigIntegerField(_("views"))

    class Meta:
        verbose_name = _("views of all in an hour")
        verbose_name_plural = _("views of all by hour")

    def __str__(self) -> str:
        return f"{self.content_type_id} {self.hour:%Y-%m-%d %H}: {self.views}"


class Ranking(models.Model):
    """The most viewed targets of one model in one window, as they were when last computed."""

    content_type = models.ForeignKey(
        ContentType, on_delete=models.CASCADE, related_name="+", verbose_name=_("model")
    )
    window = models.CharField(_("window"), max_length=10)
    computed_at = models.DateTimeField(_("computed at"), null=True)
    seconds = models.FloatField(_("seconds"), default=0)
    """How long computing it took, which decides when it is computed again."""
    ranked = models.JSONField(_("most viewed"), default=list)
    """[{"id", "views", "before", "series"}], the most viewed first: see counters/ranking.py."""

    class Meta:
        verbose_name = _("ranking")
        verbose_name_plural = _("rankings")
        constraints = (
            models.UniqueConstraint(fields=["content_type", "window"], name="counters_ranking_one"),
        )

    def __str__(self) -> str:
        return f"{self.content_type_id} {self.window}"


class Audit(models.Model):
    """One audit: asked for, perhaps begun, perhaps ended."""

    asked_at = models.DateTimeField(_("asked for at"), auto_now_add=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    differences = models.PositiveIntegerField(_("counters that differ"), default=0)
    broken = models.PositiveIntegerField(_("broken positions"), default=0)
    repaired = models.BooleanField(_("repaired"), default=False)
    lines = models.JSONField(_("what was found"), default=list)
    """The first of what it printed."""
    error = models.TextField(_("error"), blank=True)
    """Why it could not be carried out."""

    class Meta:
        verbose_name = _("audit")
        verbose_name_plural = _("audits")

    def __str__(self) -> str:
        return f"{self.asked_at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_clean(self) -> bool:
        """Whether it ended, and found nothing that it did not mend."""
        wrong = self.broken or (self.differences and not self.repaired)
        return self.finished_at is not None and not self.error and not wrong
