"""`python -m project.web_server`: granian, which does not end when its workers are killed.

It takes granian's arguments. granian itself ends when a worker dies twice within 5.5 seconds, and
then nobody listens until it has been started again.
"""

import gc
import importlib
import multiprocessing
import re
import sys
import time
from typing import Any

from granian import cli
from granian.server.common import AbstractServer

from project import slow_clients

FIRST_PAUSE = 0.1  # seconds before a worker that died young is replaced
PAUSE_FACTOR = 1.6  # from each pause to the next
MAX_PAUSE = 2.0
UPTIME = 5.0  # seconds after which a worker has not died young
POLL = 1.0  # seconds; a death wakes the loop at once


def replace_dead_workers(server: AbstractServer[Any], target: Any, loader: Any) -> None:
    """Replace each worker that has died, until a signal.

    It takes the place of granian's loop. It knows no `--workers-lifetime`, `--workers-max-rss`.
    """
    pause = FIRST_PAUSE
    while not server.interrupt_signal:
        server.main_loop_interrupt.wait(POLL)
        server.main_loop_interrupt.clear()
        server.interrupt_children.clear()
        dead = [worker for worker in server.wrks if not worker.is_alive()]
        if dead and not server.interrupt_signal:
            if all(time.monotonic() - worker.birth > UPTIME for worker in dead):
                pause = FIRST_PAUSE
            else:
                time.sleep(pause)
                pause = min(pause * PAUSE_FACTOR, MAX_PAUSE)
            server._respawn_workers([worker.idx for worker in dead], target, loader)
        if server.reload_signal:
            server._reload(target, loader)  # type: ignore[no-untyped-call]


def preload(target: str) -> None:
    """Import the application before the workers are forked: they share its memory.

    target: "project.wsgi:application". Importing it must open no connection and start no thread.
    """
    sys.path.insert(0, "")  # as granian does
    slow_clients.only_forks = True
    gc.disable()  # it would look again and again through what is loaded, and find nothing
    importlib.import_module(target.partition(":")[0])
    gc.collect()
    gc.freeze()  # a collection would write to what is shared
    gc.enable()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    preload(next(one for one in sys.argv[1:] if re.fullmatch(r"[\w.]+:[a-z_]+", one)))
    AbstractServer._serve_loop = replace_dead_workers  # type: ignore[method-assign]
    cli.entrypoint()  # type: ignore[no-untyped-call]
