"""Limits how many request bodies a process receives at a time, of uploads and all others.

A body takes a thread of the web server for as long as the client takes to send it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from api.unavailable import Unavailable

WAIT_SECONDS = 0.25  # a small file is received in less

slots = BoundedSemaphore(settings.UPLOADS_AT_ONCE)


class TooManyBodies(Unavailable):
    default_detail = _("Too many requests are being received. Try again in a moment.")
    default_code = "too_many_bodies"


@contextmanager
def body_slot() -> Iterator[None]:
    """Hold a slot. Raises TooManyBodies if none is free within `WAIT_SECONDS`."""
    if not slots.acquire(timeout=WAIT_SECONDS):
        raise TooManyBodies
    try:
        yield
    finally:
        slots.release()
