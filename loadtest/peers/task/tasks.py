from celery import shared_task

from loadtest.peers.pages.counting import add_one


@shared_task(name="task.count")
def count(ids: list[int]) -> None:
    add_one(ids)
