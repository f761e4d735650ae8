"""Counters that are kept here, beside the models that they are of; and how far they are copied."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.events import MAX_KEY_LENGTH
from footfall.models.targets import Target


class KeptCounter(Target):
    """The counter of a target whose model has none that is written directly.

    That is a model without a `CounterField`; and one with it of which the key is no integer, or the
    rows are in another database. The field of the latter is a copy, see `CounterCopy`. Only targets
    that exist, or did, have a row. It is always in the database of the event store.
    """

    pk = models.CompositePrimaryKey("content_type_id", "target_id")
    name = models.CharField(_("key"), max_length=MAX_KEY_LENGTH, null=True)  # noqa: DJ001
    """The primary key as a text of its database, if `target_id` is the hash of it; else null."""
    counter = models.PositiveBigIntegerField(_("views"), default=0)
    changes = models.BigIntegerField(default=0, db_default=0)
    """What `Projection.changes` was when the counter was last changed."""

    class Meta:
        verbose_name = _("counter that is kept here")
        verbose_name_plural = _("counters that are kept here")
        indexes = (models.Index(fields=["content_type", "name"], name="counters_kept_name"),)

    def __str__(self) -> str:
        return f"{self.content_type_id}/{self.target_id}: {self.counter}"


class CounterCopy(models.Model):
    """How far the counters of one model are copied into its own column.

    It is in the database of that model, and changes in the transaction that writes the column: so
    whichever database is restored, what differs is copied again.
    """

    label = models.CharField(_("model"), max_length=100, primary_key=True)
    changes = models.BigIntegerField(default=-1)
    """All up to these are copied, as in `Projection.changes`; -1: nothing is."""
    number = models.BigIntegerField(default=0)
    key = models.BigIntegerField(default=0)
    events = models.BigIntegerField(_("events"), default=0)
    """The position of `totals` at these changes, as in `StorePosition`. The store does not have it
    after a restore: then everything is copied."""
    left = models.JSONField(default=list)
    """Ids of targets whose rows another transaction had locked."""
    moved_at = models.DateTimeField(_("moved at"), null=True)

    class Meta:
        verbose_name = _("copy of counters")
        verbose_name_plural = _("copies of counters")

    def __str__(self) -> str:
        return self.label
