"""`python -m project.web_server`: granian, which does not end when its workers are killed.

It takes granian's arguments. granian itself ends when a worker dies twice within 5.5 seconds, and
then nobody listens until it has been started again.
"""

import time
from typing import Any

from granian import cli
from granian.server import Server

FIRST_PAUSE = 0.1  # seconds before a worker that died young is replaced
PAUSE_FACTOR = 1.6  # from each pause to the next
MAX_PAUSE = 2.0
UPTIME = 5.0  # seconds after which a worker has not died young
POLL = 1.0  # seconds; a death wakes the loop at once


class PatientServer(Server):
    """Replaces each worker that has died. It knows no `--workers-lifetime`, `--workers-max-rss`."""

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        pause = FIRST_PAUSE
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(POLL)
            self.main_loop_interrupt.clear()
            self.interrupt_children.clear()
            dead = [worker for worker in self.wrks if not worker.is_alive()]
            if dead and not self.interrupt_signal:
                if all(time.monotonic() - worker.birth > UPTIME for worker in dead):
                    pause = FIRST_PAUSE
                else:
                    time.sleep(pause)
                    pause = min(pause * PAUSE_FACTOR, MAX_PAUSE)
                self._respawn_workers([worker.idx for worker in dead], spawn_target, target_loader)
            if self.reload_signal:
                self._reload(spawn_target, target_loader)


if __name__ == "__main__":
    cli.Server = PatientServer
    cli.entrypoint()
