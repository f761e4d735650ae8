"""The tables of the operators' tools: adjustments, audits, the dashboard."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.log import Partition
from footfall.models.targets import Target


class Adjustment(Target):
    """A change of a counter by hand. counter == sum(rollups) + sum(adjustments)."""

    at = models.DateTimeField(_("at"), auto_now_add=True)
    amount = models.BigIntegerField(_("amount"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    reason = models.TextField(_("reason"))

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        indexes = (models.Index(fields=["content_type", "target_id"], name="counters_adjusted"),)

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id} {self.amount:+d}"


class Audit(models.Model):
    """One audit: requested, running or finished."""

    requested_at = models.DateTimeField(_("requested at"), auto_now_add=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    differences = models.PositiveIntegerField(_("counters that differ"), default=0)
    broken = models.PositiveIntegerField(_("broken positions"), default=0)
    repaired = models.BooleanField(_("repaired"), default=False)
    lines = models.JSONField(_("findings"), default=list)
    """The first lines that it printed."""
    error = models.TextField(_("error"), blank=True)
    """Why it failed."""
    epoch = models.BigIntegerField(null=True)
    """When the hourly prune saw it first, see `footfall.identity`."""

    class Meta:
        verbose_name = _("audit")
        verbose_name_plural = _("audits")

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_clean(self) -> bool:
        """Whether it finished, and repaired everything that it found."""
        wrong = self.broken or (self.differences and not self.repaired)
        return self.finished_at is not None and not self.error and not wrong


class Dashboard(Partition):
    """Names the permission to see the dashboard; has no rows of its own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")
