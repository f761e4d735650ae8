"""Chooses the next file: fair between senders, whatever they send.

A sender is an account, or an address. Start-time fair queuing: each has a `spent` of processing
seconds, and the one with the least is next. A sender that was away begins where the others are now:
time cannot be saved up, and a newcomer is next.

A file may take a minute. So only some threads of a process (`Places`) process a file for as long as
it takes. The others give up after `UPLOADS_SHORT_SECONDS`, and leave the file to those: it waits
there, and nothing else waits for it. Of a sender whose last files were all slow, the next ones go
there at once.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Max, Min, Q, Value
from django.db.models.functions import Greatest

from uploads.models import File, Sender, Status
from uploads.processing import claims

AT_ONCE = 2
"""Files that a process has in work: a child processes each, and more of them are not faster."""
SLOW_IN_A_ROW = 2
"""After so many slow files in a row, a sender's next ones are taken for slow."""


class Places:
    """The threads of this process that process files at the same time: half may take long."""

    def __init__(self, at_once: int) -> None:
        self._long = threading.BoundedSemaphore(at_once // 2)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Hold a place; yields whether its file may take long."""
        if not self._long.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._long.release()


places = Places(AT_ONCE)


class Waiting(NamedTuple):
    """The files of a sender that are alike. Their order is the order of turns."""

    turn: float
    """Like `spent`; what is in work now counts as `UPLOADS_SHORT_SECONDS` a file."""
    is_retry: bool
    """Whether two attempts have failed: those come after the sender's others. After one, it may
    well have been the worker."""
    oldest: int
    sender: str
    is_slow: bool
    spent: float
    is_known: bool
    """Whether the sender has a row."""


def claim_next(*, may_take_long: bool = True) -> File | None:
    """Claim the file whose turn it is; None if there is none for this place."""
    for waiting in waiting_senders():
        if waiting.is_slow and not may_take_long:
            continue
        if file := _claim_of(waiting):
            return file
    return None


def waiting_senders() -> list[Waiting]:
    """Return whose files wait, the next sender first."""
    ready = File.objects.filter(claims.is_ready()).order_by()
    retry = ExpressionWrapper(Q(attempts__gt=1), BooleanField())
    alike = ready.annotate(is_retry=retry).values_list("sender", "is_slow", "is_retry")
    found = list(alike.annotate(oldest=Min("pk")))
    if not found:
        return []
    keys = {sender for sender, *_ in found}
    rows = Sender.objects.filter(key__in=keys) if len(keys) < 500 else Sender.objects.all()
    senders = {key: (spent, slow) for key, spent, slow in rows.values_list("key", "spent", "slow")}
    level, working = present_level(), in_work()
    waiting = []
    for sender, is_slow, is_retry, oldest in found:
        spent, slow = senders.get(sender, (0.0, 0))
        spent = max(spent, level)
        turn = spent + working[sender] * settings.UPLOADS_SHORT_SECONDS
        is_slow = is_slow or slow >= SLOW_IN_A_ROW
        is_known = sender in senders
        waiting.append(Waiting(turn, bool(is_retry), oldest, sender, is_slow, spent, is_known))
    return sorted(waiting)


def in_work() -> Counter[str]:
    """Return how many files of each sender are being processed."""
    rows = File.objects.filter(status=Status.PROCESSING).order_by()
    return Counter(rows.values_list("sender", flat=True))


def present_level() -> float:
    """Return the `spent` of the sender who was chosen last: where a new one begins."""
    return Sender.objects.aggregate(level=Max("started"))["level"] or 0.0


def _claim_of(waiting: Waiting) -> File | None:
    """Claim the oldest of these files.

    Other workers choose at the same time: if one of them has it, the sender's next one is claimed.
    """
    if not waiting.is_known:  # not in the transaction: on MySQL two workers would deadlock
        new = Sender(key=waiting.sender, spent=waiting.spent, started=waiting.spent)
        Sender.objects.bulk_create([new], ignore_conflicts=True)
    return _claim_of_known(waiting)


@transaction.atomic
def _claim_of_known(waiting: Waiting) -> File | None:
    free = File.objects.select_for_update(skip_locked=True).filter(claims.is_ready())
    tried = Q(attempts__gt=1)
    alike = free.filter(tried if waiting.is_retry else ~tried, sender=waiting.sender)
    if not waiting.is_slow:
        alike = alike.filter(is_slow=False)
    pk = (
        free.filter(pk=waiting.oldest).values_list("pk", flat=True).first()
        or alike.order_by("pk").values_list("pk", flat=True).first()
    )
    file = claims.claim(pk, is_slow=waiting.is_slow) if pk else None
    if file:
        _charge(waiting)
    return file


def _charge(waiting: Waiting) -> None:
    """Note that it is this sender's turn: all who come after begin here."""
    spent = Value(waiting.spent)
    Sender.objects.filter(key=waiting.sender).update(
        started=Greatest(F("started"), spent), spent=Greatest(F("spent"), spent)
    )


def settle(file: File, seconds: float) -> None:
    """Note how long the file took."""
    is_slow = seconds >= settings.UPLOADS_SHORT_SECONDS
    Sender.objects.filter(key=file.sender).update(
        spent=F("spent") + seconds, slow=F("slow") + 1 if is_slow else 0
    )


def forget_idle() -> int:
    """Delete senders that are no further than where a newcomer begins; return how many."""
    level = present_level()
    deleted, _ = Sender.objects.filter(spent__lte=level, started__lt=level).delete()
    return deleted
