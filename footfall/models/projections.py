"""The tables that are computed from the events, and which copies in Redis are out of date."""

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.targets import ByKind, OfModel, Target


class Rollup(Target, ByKind):
    """Views of one target in one hour, by the time at which they happened."""

    pk = models.CompositePrimaryKey("content_type_id", "target_id", "hour")
    hour = models.DateTimeField(_("hour"))

    class Meta:
        verbose_name = _("rollup")
        verbose_name_plural = _("rollups")
        indexes = (models.Index(fields=["content_type", "hour"], name="counters_rollup_hour"),)

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id} {self.hour:%Y-%m-%d %H}: {self.views}"


class HourTotal(OfModel, ByKind):
    """Views of all targets of one model in one hour: the sum of their rollups.

    Written with them, so that charts of a whole model read one row per hour.
    """

    pk = models.CompositePrimaryKey("content_type_id", "hour")
    hour = models.DateTimeField(_("hour"))

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
    """[{"id", "views", ...}], the most viewed first: the fields of `projections.ranking.Ranked`."""

    class Meta:
        verbose_name = _("ranking")
        verbose_name_plural = _("rankings")
        constraints = (
            models.UniqueConstraint(fields=["content_type", "window"], name="counters_ranking_one"),
        )

    def __str__(self) -> str:
        return f"{self.content_type_id} {self.window}"


class VisitorSketch(Target):
    """The people who viewed one target on one day, UTC: a set of which only the size can be told.

    Target 0: all targets of the model together.
    """

    pk = models.CompositePrimaryKey("content_type_id", "day", "beside", "target_id")
    day = models.DateField(_("day"))
    beside = models.BooleanField(default=False)
    """Whether a recount of the day writes it, until it takes the place of the other one."""
    sketch = models.BinaryField()
    """See `footfall/projections/visitors/sketches.py`. Empty once the hours of the day are gone."""
    visitors = models.BigIntegerField(_("visitors"))
    """How many there are in the sketch."""

    class Meta:
        verbose_name = _("visitors of a day")
        verbose_name_plural = _("visitors by day")
        indexes = (models.Index(fields=["content_type", "target_id"], name="counters_visitors_of"),)

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id} {self.day}: {self.visitors}"


class Invalidation(Target):
    """A target that was changed, until Redis has removed the pages that are cached for it."""

    counter_lowered = models.BooleanField(default=False)
    """Whether its counter went down, as only an adjustment or a repair does it."""

    class Meta:
        verbose_name = _("invalidation")
        verbose_name_plural = _("invalidations")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id}"
