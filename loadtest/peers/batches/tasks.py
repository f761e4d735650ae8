from collections import Counter

from celery import shared_task
from celery_batches import Batches, SimpleRequest

from loadtest.peers.pages.counting import add


@shared_task(name="batches.count", base=Batches, flush_every=1000, flush_interval=1)
def count(requests: list[SimpleRequest]) -> None:
    add(Counter(content for request in requests for content in request.args[0]))
