"""How far the log was read, what was done with its events, and what went past it."""

from collections.abc import Sequence
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.eventlog import Entry, EventId, Position
from footfall.ingest.gaps import missing


class Partition(models.Model):
    """How far a partition of the log has been applied. Its row lock is the claim on it."""

    number = models.PositiveSmallIntegerField(_("number"), primary_key=True)
    position = models.CharField(_("position"), max_length=50, blank=True)
    """Id of the last entry applied; empty before the first. A hint: the marks are the proof."""
    producer_id = models.BigIntegerField(null=True)
    sequence = models.BigIntegerField(null=True)
    offset = models.BigIntegerField(default=0)
    events = models.BigIntegerField(_("events"), default=0)
    """Events applied from this partition so far."""
    pruned = models.BigIntegerField(default=0)
    """Those of them whose batches are no longer kept."""
    known_since = models.DateTimeField(null=True)
    """Marks from before then are not kept any more; null: all of them are."""
    flushed_at = models.DateTimeField(_("last flush"), null=True)
    flushed_events = models.PositiveIntegerField(_("events in the last flush"), default=0)
    missing = models.BigIntegerField(_("lost in a store, at least"), default=0)
    """Events that were in the log and were neither applied nor found there: see `counters.gaps`."""
    missed_at = models.DateTimeField(_("last loss"), null=True)

    class Meta:
        verbose_name = _("partition")
        verbose_name_plural = _("partitions")

    MOVING = (
        "position", "producer_id", "sequence", "offset", "events", "flushed_at", "flushed_events",
        "missing", "missed_at",
    )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.number}"

    @property
    def read_up_to(self) -> Position | None:
        """The position, as the log takes it."""
        if not self.position:
            return None
        number = None
        if self.producer_id is not None and self.sequence is not None:
            number = EventId(self.producer_id, self.sequence)
        return Position(self.position.encode(), number, self.offset)

    def move(self, entries: Sequence[Entry], fresh: int, now: datetime) -> None:
        """Note that `entries` were read and `fresh` events were new; saves nothing."""
        if entries:
            if lost := missing(self.offset, entries):
                self.missing += lost
                self.missed_at = now
            last = entries[-1]
            self.position = last.id.decode()
            self.producer_id, self.sequence = last.number or (None, None)
            self.offset = last.offset
        self.events += fresh
        self.flushed_events = fresh
        self.flushed_at = now


class ProducerState(models.Model):
    """The highest number applied of one writer's session in one partition.

    An event at or below it was counted. That is what makes the count exact.
    """

    pk = models.CompositePrimaryKey("producer_id", "partition")
    producer_id = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    sequence = models.BigIntegerField()
    """-1 while nothing from the log was applied."""
    spilled = models.BigIntegerField(null=True)
    """The session's last event, if it was counted from the spill: dropped if the log shows it."""
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name = _("producer state")
        verbose_name_plural = _("producer states")

    def __str__(self) -> str:
        return f"{self.producer_id}/{self.partition}: {self.sequence}"


class Batch(models.Model):
    """One committed flush: what became of every event that it took."""

    at = models.DateTimeField(_("at"), db_index=True)
    seconds = models.FloatField(_("seconds"))
    events = models.PositiveIntegerField(_("events counted"))
    """From the log and from the spill."""
    views = models.PositiveBigIntegerField(_("views counted"))
    """One event is a view of every target that it names."""
    targets = models.PositiveIntegerField(_("targets"))
    drained = models.PositiveIntegerField(_("taken from the spill"))
    partitions = models.JSONField(_("events by partition"), default=dict)
    dropped = models.JSONField(_("dropped by reason"), default=dict)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}: {self.events}"


class Spilled(models.Model):
    """An event that could not go by way of the log, or about which the log gave no answer."""

    partition = models.PositiveSmallIntegerField(db_index=True)
    producer_id = models.BigIntegerField(null=True)
    """Set for an ambiguous append, which may be in the log too. Null: never sent."""
    sequence = models.BigIntegerField(null=True)
    at = models.BigIntegerField()
    """When it happened: milliseconds since 1970."""
    body = models.BinaryField()

    class Meta:
        verbose_name = _("spilled event")
        verbose_name_plural = _("spilled events")

    def __str__(self) -> str:
        return f"{self.partition}: {bytes(self.body)[:80]!r}"

    @property
    def number(self) -> EventId | None:
        """The event's number in the log, or None if it was never sent there."""
        if self.producer_id is None or self.sequence is None:
            return None
        return EventId(self.producer_id, self.sequence)


class DeadLetter(models.Model):
    """An event that cannot be counted as it stands, kept with the reason until somebody decides."""

    partition = models.PositiveSmallIntegerField(_("partition"))
    at = models.BigIntegerField(_("happened at"))
    """As the event says: milliseconds since 1970, unchecked."""
    body = models.BinaryField(_("body"))
    reason = models.CharField(_("reason"), max_length=200)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    entry_id = models.CharField(_("entry"), max_length=50, null=True, blank=True)  # noqa: DJ001
    """Set for an entry without a number, which no mark tells: read again, it is here already."""

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
