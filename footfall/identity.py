"""The identity of the database, and its epoch.

An epoch is an hour in which the service ran. What is irreversible (removing producer states, dead
letters, events) goes by epochs and by no clock: a clock that jumps, however far, changes the epoch
by `MAX_STEP` at most.
"""

import secrets
from datetime import datetime, timedelta

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models.functions import Now

from footfall.models import Identity

ROW = 1
"""The primary key of the one row."""
HOUR = timedelta(hours=1)
HOURS_PER_DAY = 24
MAX_STEP = 24
"""By how many hours one call advances the epoch at most: after a pause, or a clock that jumped."""


def epoch() -> int:
    """Return the present epoch."""
    return Identity.objects.filter(pk=ROW).values_list("epoch", flat=True).first() or 0


def advance_epoch() -> int:
    """Advance the epoch by the hours since it was advanced, and return it. Call it every hour.

    Only the database's clock counts. If it was set back, the epoch stays, and goes on from there.
    """
    with transaction.atomic():
        row = _locked()
        now = database_now()
        hours = (now - row.epoch_at) // HOUR
        if 0 <= hours <= MAX_STEP:
            row.epoch_at += hours * HOUR
        else:
            row.epoch_at = now
        row.epoch += min(max(hours, 0), MAX_STEP)
        row.save()
    return row.epoch


def database_now() -> datetime:
    """Return the time by the database's clock."""
    rows = ContentType.objects.order_by()  # of a table that is never empty
    now: datetime = rows.annotate(now=Now()).values_list("now", flat=True)[:1].get()
    return now


def ensure_identity() -> Identity:
    """Return the row. Creates it, with a new identity, if it is missing: after a TRUNCATE."""
    found = Identity.objects.filter(pk=ROW).first()
    if found is None:
        new = Identity(pk=ROW, name=secrets.token_hex(4))
        Identity.objects.bulk_create([new], ignore_conflicts=True)
        found = Identity.objects.get(pk=ROW)
    return found


def _locked() -> Identity:
    ensure_identity()
    return Identity.objects.select_for_update().get(pk=ROW)
