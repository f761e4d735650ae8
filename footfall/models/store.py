"""The event store: events that are kept for good, and how far each projection is."""

from datetime import UTC, datetime
from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.targets import ByKind, Target

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The hour of what a base has of no hour."""


class StorePosition(NamedTuple):
    """A place in the event store: the end of a segment."""

    number: int
    """Of the segment; 0 is the beginning of the store."""
    key: int
    """The random id of that segment: after a restore, numbers come again. 0 at the beginning."""
    events: int
    """Events from the beginning of the store up to here."""


class StoreHead(models.Model):
    """The end of the event store: one row, which numbers the segments without gaps.

    An ingest locks it last of all, until it commits.
    """

    number = models.BigIntegerField(default=0)
    key = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    removed_number = models.BigIntegerField(default=0, db_default=0)
    removed_key = models.BigIntegerField(default=0, db_default=0)
    removed_events = models.BigIntegerField(default=0, db_default=0)
    """The end of what has left the store: its views are in the base."""
    discarded = models.BigIntegerField(default=0, db_default=0)
    """Events of corrupt segments that were given up: neither in the store nor in the base."""

    class Meta:
        verbose_name = _("end of the event store")
        verbose_name_plural = _("end of the event store")

    def __str__(self) -> str:
        return f"{self.number}"

    @property
    def position(self) -> StorePosition:
        return StorePosition(self.number, self.key, self.events)

    @property
    def removed(self) -> StorePosition:
        return StorePosition(self.removed_number, self.removed_key, self.removed_events)


class Segment(models.Model):
    """A stored batch of events, never changed: compaction replaces several by one."""

    number = models.BigIntegerField(_("number"), primary_key=True)
    first = models.BigIntegerField()
    """Number of the first segment that it was compacted from; `number` is that of the last."""
    key = models.BigIntegerField()
    """Random id; a compacted segment has the key of its last one."""
    events = models.PositiveIntegerField(_("events"))
    first_at = models.BigIntegerField()
    """When the earliest event happened: milliseconds since 1970."""
    last_at = models.BigIntegerField()
    stored_at = models.DateTimeField(_("stored at"), db_index=True)
    """Of a compacted segment: when the last of them was stored."""
    seconds = models.FloatField(_("seconds"), default=0)
    """How long the ingest took."""
    drained = models.PositiveIntegerField(_("taken from the spill"), default=0)
    keyed = models.PositiveIntegerField(_("with the key of a client"), default=0)
    """The column has no default in the database: so a flusher that knows no keys stores nothing,
    where it would count a repeated event."""
    partitions = models.JSONField(_("events by partition"), default=dict)
    version = models.PositiveSmallIntegerField()
    """Of the encoding of `data`."""
    checksum = models.BigIntegerField()
    """CRC-32 of `data`."""
    data = models.BinaryField()
    """The events: see footfall/store/segment.py."""
    corrupt_at = models.DateTimeField(_("found corrupt at"), null=True, db_index=True)
    """Set when `data` did not match its checksum: its events cannot be read."""
    epoch = models.BigIntegerField(_("epoch"), default=0, db_default=0)
    """In which it was stored; of a compacted segment, the last of them. Retention goes by it."""

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return f"{self.number}"


class Base(Target, ByKind):
    """Views of one target in one hour that are in no segment: those of before, and what has left.

    Every view is in the base or in the store. Rollups begin with the base, and counters too. What
    is in it keeps its kinds.
    """

    pk = models.CompositePrimaryKey("content_type_id", "target_id", "hour")
    hour = models.DateTimeField(_("hour"))
    """1970-01-01 00:00: at an unknown time, so not in the rollups."""

    class Meta:
        verbose_name = _("views in the base")
        verbose_name_plural = _("views in the base")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id} {self.hour:%Y-%m-%d %H}: {self.views}"


class Projection(models.Model):
    """How far a projection has applied the event store. To apply events, lock its row."""

    class Counted(models.TextChoices):
        """Whether counters were above 0, and nothing explained it, when their counting began."""

        NOT_LOOKED = ""
        NO = "no"
        YES = "yes"
        UNKNOWN = "unknown"
        """It began before this was noted."""

    name = models.CharField(_("name"), max_length=150, primary_key=True)
    """"totals:pages.content": its kind, and the label of its model."""
    number = models.BigIntegerField(_("segment"), default=0)
    key = models.BigIntegerField(default=0)
    events = models.BigIntegerField(_("events"), default=0)
    """Position, as in `StorePosition`."""
    moved_at = models.DateTimeField(_("moved at"), null=True)
    dropped = models.JSONField(_("dropped by reason"), default=dict)
    """Views that it did not count, since it began."""
    failed_at = models.DateTimeField(_("failed at"), null=True)
    """Null once it has worked again."""
    error = models.TextField(_("error"), blank=True)
    counted_before = models.CharField(
        max_length=10,
        choices=Counted,
        blank=True,
        default=Counted.NOT_LOOKED,
        db_default=Counted.UNKNOWN,
    )
    verdicts = models.BigIntegerField(default=0, db_default=0)
    """The version of the verdicts about agents with which it goes on, see `footfall.verdicts`."""
    policy = models.CharField(
        max_length=100, blank=True, default="everything", db_default="everything"
    )
    """Of `totals`: by which policy all that it has counted is counted, see
    `footfall.projections.policies`."""
    changes = models.BigIntegerField(default=0, db_default=0)
    """Of `totals`, if its counters are copied: how many transactions have changed some of them."""

    class Meta:
        verbose_name = _("projection")
        verbose_name_plural = _("projections")

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def label(self) -> str:
        return self.name.partition(":")[2]

    @property
    def position(self) -> StorePosition:
        return StorePosition(self.number, self.key, self.events)


class Carried(Target):
    """Views that are not in a counter yet, because another transaction had locked its row."""

    pk = models.CompositePrimaryKey("content_type_id", "target_id")
    views = models.BigIntegerField(_("views"))
    since = models.BigIntegerField()
    """When the earliest of them happened, at the latest: milliseconds since 1970."""

    class Meta:
        verbose_name = _("carried over views")
        verbose_name_plural = _("carried over views")

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id}: {self.views}"
