"""What a worker does around a task."""

import pytest
from celery.fixups import django as fixups
from celery.signals import task_postrun, task_prerun
from django.db import connection

from project.celery import app


def go_on_to_the_next_task() -> None:
    """What Celery calls after a task and before the next one, in the thread of both."""
    fixup = fixups.DjangoWorkerFixup(app)  # type: ignore[attr-defined]  # its stubs lack it
    task = app.tasks["celery.backend_cleanup"]
    for signal, of_celery in (
        (task_postrun, fixup.on_task_postrun),
        (task_prerun, fixup.on_task_prerun),
    ):
        signal.send(sender=task, task=task)
        of_celery(task)


@pytest.mark.django_db(transaction=True)
def test_a_task_has_the_connection_of_the_one_before_or_a_new_one_if_that_is_broken() -> None:
    connection.ensure_connection()
    kept = connection.connection

    go_on_to_the_next_task()
    assert connection.connection is kept

    kept.close()
    go_on_to_the_next_task()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
