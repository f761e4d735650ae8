"""How far the log was read, and the events that went past it."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from footfall.eventlog import Columns, EventId, Position, PositionLost
from footfall.events import BIGINT, DropReason


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
    states_epoch = models.BigIntegerField(null=True)
    """The same as an epoch; null: none was removed since there are epochs."""
    flushed_at = models.DateTimeField(_("last flush"), null=True)
    flushed_events = models.PositiveIntegerField(_("events in the last flush"), default=0)
    missing = models.BigIntegerField(_("lost in a store, at least"), default=0)
    """Events that disappeared from the log before they were applied: their sequences are left out.
    A minimum: what a producer appended last is missed only when it appends again."""
    missed_at = models.DateTimeField(_("last loss"), null=True)
    position_lost_at = models.DateTimeField(null=True)
    """When the log was last found without the entry at the position."""
    position_lost = models.CharField(max_length=20, blank=True, db_default="")
    """How: a `PositionLost`."""

    class Meta:
        verbose_name = _("partition")
        verbose_name_plural = _("partitions")

    ADVANCED = (
        "position", "producer_id", "sequence", "offset", "events", "flushed_at", "flushed_events",
        "missing", "missed_at", "dropped", "position_lost_at", "position_lost",
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

    def lose_position(self, how: PositionLost, now: datetime) -> None:
        """Note that the log does not have the entry at the position; saves nothing."""
        self.position_lost, self.position_lost_at = how, now
        self.position, self.offset = "", 0
        self.producer_id = self.sequence = None

    def advance(
        self,
        entries: Columns,
        stored: int,
        dropped: Mapping[DropReason, int],
        lost: int,
        now: datetime,
    ) -> None:
        """Note that `entries` were read, and what became of the events; saves nothing."""
        if lost:
            self.missing = min(self.missing + lost, BIGINT - 1)
            self.missed_at = now
        if entries:
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
    """By the database's clock. Nothing depends on it."""
    epoch = models.BigIntegerField(db_default=0)
    """When it was written, see `footfall.identity`: it is removed by it."""

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
    letter_id = models.BigIntegerField(null=True)
    """The dead letter that it is a replay of: producer states know its event already, and do not
    tell whether it was counted; the letter does."""
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
    producer_id = models.BigIntegerField(null=True)
    """Null, as the sequence, if it has no event id."""
    sequence = models.BigIntegerField(null=True)
    at = models.BigIntegerField(_("happened at"))
    """Milliseconds since 1970. In letters of the version before as the event said, unchecked."""
    body = models.BinaryField(_("body"))
    meta = models.BinaryField(null=True)
    reason = models.CharField(_("reason"), max_length=200)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    epoch = models.BigIntegerField(null=True)
    """When the hourly prune saw it first, see `footfall.identity`."""
    entry_id = models.CharField(_("entry"), max_length=50, null=True, blank=True)  # noqa: DJ001
    """The event id, as text, or that of its entry: with the constraint below, the same event makes
    no second letter when it is read again. Null for one that has neither."""
    replayed_at = models.DateTimeField(_("replayed at"), null=True)
    """When it went to the spill, to be counted. Null while it waits for an operator."""
    replayed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("replayed by"),
    )

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

    @classmethod
    def waiting(cls) -> models.QuerySet["DeadLetter"]:
        """Return those that were not replayed."""
        return cls._default_manager.filter(replayed_at=None)
