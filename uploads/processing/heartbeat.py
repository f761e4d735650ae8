"""Refreshes the claim on a file while it is processed."""

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

BEATS_PER_LEASE = 5  # all but one of them may be missed


@contextmanager
def heartbeat(queue: RedisQueue, delivery: Delivery, consumer: str, file: File) -> Iterator[None]:
    """Refresh the claim in a thread while the body runs."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(settings.UPLOADS_LEASE_SECONDS / BEATS_PER_LEASE):
            if not beat(queue, delivery, consumer, file):
                break
        connections.close_all()  # those of this thread

    thread = threading.Thread(target=run, name=f"heartbeat-{file.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def beat(queue: RedisQueue, delivery: Delivery, consumer: str, file: File) -> bool:
    """Refresh the claim, in the row and in the queue; return False if it is lost."""
    check_connection()
    try:
        if not claims.refresh(file):
            return False
        queue.refresh(delivery, consumer)
    except (DatabaseError, LogError) as error:
        logger.warning("the claim on file %s was not refreshed: %s", file.pk, error)
    return True


def check_connection() -> None:
    """Close this thread's database connection if it broke while it was idle."""
    if not connection.in_atomic_block:
        close_old_connections()
