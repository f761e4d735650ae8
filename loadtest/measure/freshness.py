"""How long a view takes from its answer into the counter, while other readers read."""

import time
from contextlib import closing
from http.client import HTTPConnection
from threading import Event, Thread

from loadtest.common.client import Ledger
from loadtest.systems.sites import Site

INTERVAL = 0.05  # seconds between two reads of the probe page
STEP = 0.01  # seconds between two looks at its counter: how exact the figure is
LIMIT = 20.0  # seconds that are waited for the last ones


class Probe:
    """Reads a page that has no other readers, and notes when its counter shows each view."""

    def __init__(self, site: Site, address: tuple[str, int]) -> None:
        self.site = site
        self.address = address
        self.ledger = Ledger()
        self.answered: list[float] = []  # when the nth answer was there
        self.delays: list[float] = []  # how long it took to be counted
        self.stopping = Event()
        self.threads = [Thread(target=self._read), Thread(target=self._look)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> list[float]:
        """Read no more, wait for the last view, and return the delays in seconds."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.site.ledger.add(self.ledger)
        return self.delays

    def _read(self) -> None:
        with closing(HTTPConnection(*self.address, timeout=10)) as connection:
            while not self.stopping.wait(INTERVAL):
                self.ledger.attempted[self.site.probe] += 1
                connection.request("GET", f"/api/v1/pages/{self.site.probe}/")
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.ledger.answered[self.site.probe] += 1
                    self.answered.append(time.monotonic())

    def _look(self) -> None:
        content = self.site.contents[self.site.probe][0]
        statement = f"SELECT n FROM ({self.site.approach.counters}) AS c (id, n) WHERE id = %s"  # noqa: S608
        with (
            closing(self.site.stores.connect(self.site.approach.site)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [content])
            before = cursor.fetchone()[0] or 0
            give_up = 0.0
            while not self.stopping.is_set() or len(self.delays) < len(self.answered):
                cursor.execute(statement, [content])
                counted = (cursor.fetchone()[0] or 0) - before
                now = time.monotonic()
                # An answer may be noted a moment after the view was counted: its delay is 0.
                for at in self.answered[len(self.delays) : max(counted, len(self.delays))]:
                    self.delays.append(max(0.0, now - at))
                if self.stopping.is_set():
                    give_up = give_up or now + LIMIT
                    if now > give_up:
                        missing = self.answered[len(self.delays) :]
                        self.delays.extend([now - at for at in missing])
                        return
                time.sleep(STEP)
