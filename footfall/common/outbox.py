"""Outboxes: rows that say what is yet to be sent, and when. Each app keeps its own table."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

MAX_ROWS = 1_000


def send_due(due: QuerySet[Any], send: Callable[[Any], bool], seconds: float = 20.0) -> int:
    """Call `send` with the primary key of each row; return how many were sent.

    due: at most the first `MAX_ROWS` are sent, in their order.
    send: claims or locks its row, since other processes may try to send it at the same time. It
        returns False if what it needs is away.

    What is left after that, or after `seconds`, stays due for the next call.
    """
    end = time.monotonic() + seconds
    sent = 0
    for pk in due.values_list("pk", flat=True)[:MAX_ROWS]:
        if time.monotonic() > end or not send(pk):
            break
        sent += 1
    return sent


def backoff(
    attempts: int, first: timedelta, longest: timedelta, fixed_share: float = 0.0
) -> timedelta:
    """Return how long to wait after so many failed attempts, 1 or more.

    The longest wait is `first`, doubled with each attempt up to `longest`. All of it but
    `fixed_share` (0 to 1) is random, so that rows that failed together are not retried together.
    """
    ceiling = min(longest, first * (1 << min(attempts - 1, 30)))
    return ceiling * (fixed_share + (1 - fixed_share) * random.random())  # noqa: S311
