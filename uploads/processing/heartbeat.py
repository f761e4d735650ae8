"""Keeps a claim alive while its file is processed, however long that takes."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, connections

from footfall.eventlog import LogError
from uploads.models import File
from uploads.processing import claims
from uploads.queue.redis_queue import Delivery, RedisQueue

logger = logging.getLogger(__name__)

BEATS = 5  # in the length of a lease: so many may be missed


@contextmanager
def kept(queue: RedisQueue, delivery: Delivery, consumer: str, file: File) -> Iterator[None]:
    """Say every few seconds, while the body runs, that this worker is at it."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(settings.UPLOADS_LEASE_SECONDS / BEATS):
            if not beat(queue, delivery, consumer, file):
                break
        connections.close_all()  # this thread's: most files are done before it has any

    thread = threading.Thread(target=keep, name=f"keep-{file.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def beat(queue: RedisQueue, delivery: Delivery, consumer: str, file: File) -> bool:
    """Refresh the claim, in the row and in the queue; return False once it is lost."""
    check_connection()
    try:
        if not claims.refresh(file):
            return False
        queue.keep(delivery, consumer)
    except (DatabaseError, LogError) as error:
        logger.warning("the claim of file %s was not refreshed: %s", file.pk, error)
    return True


def check_connection() -> None:
    """Close this thread's connection to the database if it has died while it was not used."""
    if not connection.in_atomic_block:
        close_old_connections()
