"""Views that are counted again from the event store, and what was corrected."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from footfall.models.operations import Audit
from footfall.models.store import StorePosition
from footfall.models.targets import ByKind, Target


class Recount(models.Model):
    """How far the views of one model were counted again: one row, and one recount, per model.

    The process that goes on with it writes its own `token`; another one then finds a foreign token,
    and stops.
    """

    class Kind(models.TextChoices):
        """What it is for."""

        AUDIT = "audit"
        ADOPT = "adopt"
        TOTALS = "totals"
        HOURLY = "hourly"

    class Stage(models.TextChoices):
        CLEAR = "clear"
        """What an earlier recount has left is removed."""
        BASE = "base"
        """The base is copied."""
        EVENTS = "events"
        DONE = "done"
        """Everything up to the boundary is counted. A rebuild corrects from now on."""

    label = models.CharField(_("model"), max_length=100, primary_key=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    token = models.BigIntegerField()
    stage = models.CharField(_("stage"), max_length=10, choices=Stage, default=Stage.CLEAR)
    cursor = models.BigIntegerField(default=-1)
    """The last target id that is copied from the base; later, that is corrected."""
    since = models.DateTimeField(null=True)
    """Hours from then on only; null: all."""
    number = models.BigIntegerField()
    key = models.BigIntegerField()
    events = models.BigIntegerField()
    """How far events are counted, as in `StorePosition`."""
    boundary_number = models.BigIntegerField()
    boundary_key = models.BigIntegerField()
    boundary_events = models.BigIntegerField(_("events to count"))
    corrupt = models.JSONField(default=list)
    """Numbers of the segments that could not be read, or are missing: their events are not in."""
    is_lost = models.BooleanField(default=False)
    """Whether the projection that is rebuilt starts over, since its position is lost."""
    changed = models.BigIntegerField(_("corrected"), default=0)
    before = models.BigIntegerField(default=0)
    after = models.BigIntegerField(default=0)
    """The sums of what was corrected, before and after."""
    left = models.BigIntegerField(default=0)
    """What was not corrected, since it cannot be explained."""
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    touched_at = models.DateTimeField(db_default=Now())
    """When it last went on: both by the database's clock."""
    epoch = models.BigIntegerField(default=0)
    """In which epoch it last went on: an abandoned one holds up nothing."""
    verdicts = models.BigIntegerField(default=0)
    """The version of the verdicts about agents with which it counts."""
    policy = models.CharField(max_length=100, blank=True, default="", db_default="")
    """Of the model, if it counts by visitor: then their visits are counted, too."""

    class Meta:
        verbose_name = _("recount")
        verbose_name_plural = _("recounts")

    def __str__(self) -> str:
        return self.label

    @property
    def position(self) -> StorePosition:
        return StorePosition(self.number, self.key, self.events)

    @property
    def boundary(self) -> StorePosition:
        return StorePosition(self.boundary_number, self.boundary_key, self.boundary_events)


class Recounted(Target, ByKind):
    """Views of one target in one hour, from the base and the events up to a recount's position."""

    pk = models.CompositePrimaryKey("content_type_id", "target_id", "hour")
    hour = models.DateTimeField()
    """1970-01-01 00:00: at an unknown time, as in `Base`."""

    class Meta:
        verbose_name = _("recounted views")
        verbose_name_plural = _("recounted views")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id} {self.hour:%Y-%m-%d %H}: {self.views}"


NOT_BEGUN = -1


class VisitorRecount(models.Model):
    """A day of which the visitors of a model are to be counted again, and how far that is.

    The process that goes on with it writes its own `token`; another one then finds a foreign token,
    and stops.
    """

    pk = models.CompositePrimaryKey("label", "day")
    label = models.CharField(_("model"), max_length=100)
    day = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=10)
    """A kind of `Correction`."""
    verdicts = models.BigIntegerField()
    """The version of the verdicts with which it is counted."""
    token = models.BigIntegerField(default=0)
    number = models.BigIntegerField(default=NOT_BEGUN)
    """Of the last segment that is counted; NOT_BEGUN: what is beside is of an earlier recount."""
    unread = models.BooleanField(default=False)
    """Whether a segment could not be read: then no visitor is taken out."""

    class Meta:
        verbose_name = _("recount of the visitors of a day")
        verbose_name_plural = _("recounts of visitors")

    def __str__(self) -> str:
        return f"{self.label} {self.day}"


class Correction(models.Model):
    """What was corrected, when and why. No sum has it; what was adopted is not adopted again."""

    class Kind(models.TextChoices):
        REPAIR = "repair", _("repair")
        REBUILD = "rebuild", _("rebuild")
        ADOPT = "adopt", _("adopt")
        DISCARD = "discard", _("discard")
        RECLASSIFY = "reclassify", _("reclassify")

    at = models.DateTimeField(_("at"), db_default=Now())
    """By the database's clock."""
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    label = models.CharField(_("model"), max_length=100, blank=True)
    target_id = models.BigIntegerField(_("id"), null=True)
    """Null: of many targets, or of a segment."""
    before = models.BigIntegerField(_("before"))
    after = models.BigIntegerField(_("after"))
    audit = models.ForeignKey(
        Audit,
        on_delete=models.SET_NULL,
        null=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("audit"),
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        indexes = (models.Index(fields=["label", "target_id"], name="counters_corrected"),)

    def __str__(self) -> str:
        return f"{self.label} {self.target_id or ''} {self.before} -> {self.after}"
