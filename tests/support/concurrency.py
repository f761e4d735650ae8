"""Several things at once, in threads of their own."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import QuerySet


def run_at_once(jobs: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run each job in a thread with a database connection of its own; return their results.

    Raises what a job raised, and TimeoutError after 60 s.
    """

    def run(job: Callable[[], Any]) -> Any:
        try:
            return job()
        finally:
            connections.close_all()

    jobs = list(jobs)
    with ThreadPoolExecutor(len(jobs)) as threads:
        return [done.result(timeout=60) for done in [threads.submit(run, job) for job in jobs]]


@contextmanager
def meanwhile(run: Callable[[], None]) -> Iterator[None]:
    """Run something in another thread beside the body, and wait for its end."""
    errors: list[BaseException] = []

    def caught() -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=caught)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not errors, errors


@contextmanager
def locked(rows: QuerySet[Any]) -> Iterator[None]:
    """Have another connection lock these rows until the end of the body."""

    def lock() -> None:
        list(rows.order_by("pk").select_for_update())

    with in_transaction(lock, using=rows.db):
        yield


@contextmanager
def in_transaction(
    do: Callable[[], object], *, commit: bool = True, using: str = DEFAULT_DB_ALIAS
) -> Iterator[None]:
    """Do something in a transaction of another connection, which ends after the body."""
    done, leave = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic(using):
                do()
                done.set()
                leave.wait(60)
                transaction.set_rollback(not commit, using)
        finally:
            done.set()
            connections[using].close()

    with meanwhile(run):
        done.wait(60)
        try:
            yield
        finally:
            leave.set()
