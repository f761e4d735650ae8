from celery import shared_task
from redis.exceptions import ResponseError

from loadtest.peers.buffer.hash import TAKEN, VIEWS, client
from loadtest.peers.pages.counting import add


@shared_task(name="buffer.flush")
def flush() -> None:
    """Take the hash away under another name, write it to the database, delete it."""
    try:
        client.renamenx(VIEWS, TAKEN)  # does nothing when an earlier flush has left one behind
    except ResponseError:
        return  # nothing was viewed
    add({int(content): int(n) for content, n in client.hgetall(TAKEN).items()})
    client.delete(TAKEN)
