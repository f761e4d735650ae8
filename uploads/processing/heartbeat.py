"""Writes a heartbeat into the row of a file while it is processed."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, connections

from uploads.models import File
from uploads.processing import claims

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 5  # all but one of them may be missed


@contextmanager
def heartbeat(file: File) -> Iterator[None]:
    """Write heartbeats in a thread while the body runs."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(settings.UPLOADS_LEASE_SECONDS / BEATS_PER_LEASE):
            if not beat(file):
                break
        connections.close_all()  # those of this thread

    thread = threading.Thread(target=run, name=f"heartbeat-{file.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def beat(file: File) -> bool:
    """Write a heartbeat; return False if the claim is lost."""
    check_connection()
    try:
        return claims.refresh(file)
    except DatabaseError as error:
        logger.warning("no heartbeat for file %s: %s", file.pk, error)
    return True


def check_connection() -> None:
    """Close this thread's database connection if it broke while it was idle."""
    if not connection.in_atomic_block:
        close_old_connections()
