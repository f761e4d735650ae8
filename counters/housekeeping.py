"""Keeps the tables of the counting bounded."""

from datetime import timedelta

from django.utils import timezone

from counters.models import Batch, Mark

KEEP_BATCHES = timedelta(days=7)
# A mark may go once its session's events cannot come back: those in the log are gone after its
# retention, and an append that lands late does so within minutes.
KEEP_MARKS = timedelta(days=7)


def prune() -> None:
    """Remove batches and marks that are old enough."""
    now = timezone.now()
    Batch.objects.filter(at__lt=now - KEEP_BATCHES).delete()
    Mark.objects.filter(updated_at__lt=now - KEEP_MARKS).delete()
