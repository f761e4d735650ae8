"""Agents that were classified anew, and how far the past was corrected."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from footfall.models.store import StorePosition


class Reclassification(models.Model):
    """Verdicts about agents that were changed at one time. The newest has the present version.

    The process that corrects the past writes its own `token`; another one then finds a foreign
    token, and stops.
    """

    version = models.BigIntegerField(unique=True)
    """Random, so that none comes again after a restore: see `Projection.verdicts`."""
    since = models.DateTimeField(_("since"), null=True)
    """Events from before it keep their kinds; null: none does."""
    agents = models.BigIntegerField(_("agents"), default=0)
    """How many have changed."""
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    touched_at = models.DateTimeField(db_default=Now())
    """When it last went on: both by the database's clock."""
    finished_at = models.DateTimeField(_("finished at"), null=True)
    token = models.BigIntegerField()

    class Meta:
        verbose_name = _("reclassification")
        verbose_name_plural = _("reclassifications")

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S}"


class ReclassifiedAgent(models.Model):
    """What was changed about one agent, in `footfall.verdicts.Steps`."""

    reclassification = models.ForeignKey(
        Reclassification, on_delete=models.CASCADE, related_name="changed"
    )
    agent = models.BigIntegerField(_("agent"))
    """As `Agent.hash`."""
    before = models.JSONField(_("before"))
    after = models.JSONField(_("after"))

    class Meta:
        verbose_name = _("reclassified agent")
        verbose_name_plural = _("reclassified agents")

    def __str__(self) -> str:
        return f"{self.agent}"


class ReclassifiedVisitor(models.Model):
    """A visitor that was left out with this reclassification, or is counted again since then."""

    reclassification = models.ForeignKey(
        Reclassification, on_delete=models.CASCADE, related_name="changed_visitors"
    )
    visitor = models.BigIntegerField(_("visitor"))
    """As `LeftOut.visitor`."""
    is_out = models.BooleanField(_("is left out"))

    class Meta:
        verbose_name = _("reclassified visitor")
        verbose_name_plural = _("reclassified visitors")

    def __str__(self) -> str:
        return f"{self.visitor}"


class KeptKind(models.Model):
    """A kind that an agent keeps for events from before an hour: it was reclassified since then."""

    pk = models.CompositePrimaryKey("agent", "before")
    agent = models.BigIntegerField()
    """As `Agent.hash`."""
    before = models.BigIntegerField()
    """Hours since 1970; of several that are later than the event, the first one tells."""
    kind = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name = _("kind that is kept")
        verbose_name_plural = _("kinds that are kept")

    def __str__(self) -> str:
        return f"{self.agent} {self.before}: {self.kind}"


class Correcting(models.Model):
    """How far the past of one projection is corrected: segments after its position are not yet."""

    reclassification = models.ForeignKey(
        Reclassification, on_delete=models.CASCADE, related_name="parts"
    )
    label = models.CharField(_("model"), max_length=100)
    """Of the projection `hourly`."""
    number = models.BigIntegerField()
    key = models.BigIntegerField()
    events = models.BigIntegerField(_("events"))
    """As in `StorePosition`."""
    boundary_number = models.BigIntegerField()
    boundary_key = models.BigIntegerField()
    boundary_events = models.BigIntegerField(_("events to correct"))
    """Where the projection was when the verdicts changed: it went on with the new ones."""
    moved = models.JSONField(_("views from kind to kind"), default=dict)
    """{"1>2": 20}: so many views of people are views of robots."""
    corrupt = models.JSONField(_("segments that could not be read"), default=list)
    left = models.BigIntegerField(default=0)
    """Views that the rollups did not have as they should."""
    is_lost = models.BooleanField(default=False)
    """Whether the place was not in the store: the projection is rebuilt instead."""
    done = models.BooleanField(_("done"), default=False)

    class Meta:
        verbose_name = _("part of a reclassification")
        verbose_name_plural = _("parts of reclassifications")
        constraints = (
            models.UniqueConstraint(
                fields=["reclassification", "label"], name="counters_correcting_one"
            ),
        )

    def __str__(self) -> str:
        return self.label

    @property
    def position(self) -> StorePosition:
        return StorePosition(self.number, self.key, self.events)

    @property
    def boundary(self) -> StorePosition:
        return StorePosition(self.boundary_number, self.boundary_key, self.boundary_events)
