"""How far the log was read, and the events that went past it."""

from collections.abc import Mapping
from datetime import datetime

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from footfall.eventlog import Columns, EventId, Position
from footfall.eventlog.entries import missing
from footfall.events import DropReason


def event_id_of(producer_id: int | None, sequence: int | None) -> EventId | None:
    return None if producer_id is None or sequence is None else EventId(producer_id, sequence)


class Partition(models.Model):
    """How far a partition of the log was stored. An ingest claims it by locking its row."""

    number = models.PositiveSmallIntegerField(_("number"), primary_key=True)
    position = models.CharField(_("position"), max_length=50, blank=True)
    """Id of the last entry applied; empty before the first. It saves reading, no more."""
    producer_id = models.BigIntegerField(null=True)
    sequence = models.BigIntegerField(null=True)
    offset = models.BigIntegerField(default=0)
    events = models.BigIntegerField(_("events"), default=0)
    """Events taken from this partition so far: stored, or dead letters."""
    events_before_store = models.BigIntegerField(default=0)
    """Those of them that were counted before there was an event store."""
    dropped = models.JSONField(_("dropped by reason"), default=dict)
    """Events that were not stored, by `DropReason`."""
    states_since = models.DateTimeField(null=True)
    """Producer states from before then are no longer kept; null: all are kept."""
    flushed_at = models.DateTimeField(_("last flush"), null=True)
    flushed_events = models.PositiveIntegerField(_("events in the last flush"), default=0)
    missing = models.BigIntegerField(_("lost in a store, at least"), default=0)
    """Events that disappeared from the log before they were applied: see `eventlog.entries`."""
    missed_at = models.DateTimeField(_("last loss"), null=True)

    class Meta:
        verbose_name = _("partition")
        verbose_name_plural = _("partitions")

    ADVANCED = (
        "position", "producer_id", "sequence", "offset", "events", "flushed_at", "flushed_events",
        "missing", "missed_at", "dropped",
    )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.number}"

    @property
    def log_position(self) -> Position | None:
        """The last entry applied; None before the first."""
        if not self.position:
            return None
        event_id = event_id_of(self.producer_id, self.sequence)
        return Position(self.position.encode(), event_id, self.offset)

    def advance(
        self, entries: Columns, stored: int, dropped: Mapping[DropReason, int], now: datetime
    ) -> None:
        """Note that `entries` were read, and what became of the events; saves nothing."""
        if entries:
            if lost := missing(self.offset, entries.offsets):
                self.missing += lost
                self.missed_at = now
            last = entries.position()
            self.position = last.id.decode()
            self.producer_id, self.sequence = last.event_id or (None, None)
            self.offset = last.offset
        new = stored + dropped.get(DropReason.DEAD_LETTER, 0)
        self.dropped = {
            reason: self.dropped.get(reason, 0) + dropped.get(DropReason(reason), 0)
            for reason in {*self.dropped, *dropped}
        }
        self.events += new
        self.flushed_events = new
        self.flushed_at = now


class ProducerState(models.Model):
    """The highest sequence applied of one producer in one partition.

    Events of the producer at or below it were counted. That makes the count exact.
    """

    pk = models.CompositePrimaryKey("producer_id", "partition")
    producer_id = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    sequence = models.BigIntegerField()
    """-1 while nothing from the log was applied."""
    spilled = models.BigIntegerField(null=True)
    """The producer's last event, if it was counted from the spill: the log's copy is dropped."""
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name = _("producer state")
        verbose_name_plural = _("producer states")

    def __str__(self) -> str:
        return f"{self.producer_id}/{self.partition}: {self.sequence}"


class Spilled(models.Model):
    """An event that the log refused, or about which the log gave no answer."""

    partition = models.PositiveSmallIntegerField(db_index=True)
    producer_id = models.BigIntegerField(null=True)
    """Set for an ambiguous append, which may be in the log too. Null: not in the log."""
    sequence = models.BigIntegerField(null=True)
    at = models.BigIntegerField()
    """When it happened, by its web server's clock: milliseconds since 1970."""
    inserted_at = models.DateTimeField(db_default=Now())
    body = models.BinaryField()
    meta = models.BinaryField(null=True)
    """Null if a web server of the version before has written the row."""

    class Meta:
        verbose_name = _("spilled event")
        verbose_name_plural = _("spilled events")

    def __str__(self) -> str:
        return f"{self.partition}: {bytes(self.body)[:80]!r}"

    @property
    def event_id(self) -> EventId | None:
        """The event's id in the log, or None if it is not there."""
        return event_id_of(self.producer_id, self.sequence)


class DeadLetter(models.Model):
    """An event that cannot be counted, kept with the reason until an operator decides."""

    partition = models.PositiveSmallIntegerField(_("partition"))
    at = models.BigIntegerField(_("happened at"))
    """As the event says: milliseconds since 1970, unchecked."""
    body = models.BinaryField(_("body"))
    meta = models.BinaryField(null=True)
    reason = models.CharField(_("reason"), max_length=200)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    entry_id = models.CharField(_("entry"), max_length=50, null=True, blank=True)  # noqa: DJ001
    """Set only if producer states cannot deduplicate the entry; the constraint below does."""

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        constraints = (  # null is distinct from null
            models.UniqueConstraint(
                fields=["partition", "entry_id"], name="counters_dead_letter_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.reason}: {bytes(self.body)[:80]!r}"
