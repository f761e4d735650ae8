"""The event store: events that are kept for good, and how far each projection is."""

from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models.targets import Target


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

    class Meta:
        verbose_name = _("end of the event store")
        verbose_name_plural = _("end of the event store")

    def __str__(self) -> str:
        return f"{self.number}"

    @property
    def position(self) -> StorePosition:
        return StorePosition(self.number, self.key, self.events)


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
    partitions = models.JSONField(_("events by partition"), default=dict)
    version = models.PositiveSmallIntegerField()
    """Of the encoding of `data`."""
    checksum = models.BigIntegerField()
    """CRC-32 of `data`."""
    data = models.BinaryField()
    """The events: see footfall/store/segment.py."""
    corrupt_at = models.DateTimeField(_("found corrupt at"), null=True, db_index=True)
    """Set when `data` did not match its checksum: its events cannot be read."""

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return f"{self.number}"


class Projection(models.Model):
    """How far a projection has applied the event store. Whoever applies events locks its row."""

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
