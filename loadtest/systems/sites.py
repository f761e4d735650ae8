"""The pages of one approach: which there are, what stands on them, how often it was viewed."""

from collections import defaultdict

from loadtest.common.client import Ledger
from loadtest.common.verdict import Verdict, check, expected_sum, wait_for
from loadtest.systems.approaches import Approach
from loadtest.systems.stores import Stores

DRAIN_SECONDS = 60.0  # until what was answered must be counted


class Site:
    """One database, and the ledger of what it was sent since the last check.

    pages: how many are read, the newest ones. The last page is not among them: it is the probe,
    which tells how fresh the counters are.
    """

    def __init__(self, stores: Stores, approach: Approach, pages: int) -> None:
        self.stores = stores
        self.approach = approach
        self.connection = stores.connect(approach.site)
        on_pages = defaultdict(list)
        for page, content in self._query("SELECT page_id, content_id FROM pages_pagecontent"):
            on_pages[page].append(content)
        self.contents: dict[int, list[int]] = dict(on_pages)
        *self.pages, self.probe = sorted(self.contents)[-pages - 1 :]
        self.hot = self.pages[len(self.pages) // 2]
        self.ledger = Ledger()
        self.before = self.counters()

    def _query(self, statement: str) -> list[tuple[int, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            rows: list[tuple[int, ...]] = cursor.fetchall()
            return rows

    def counters(self) -> dict[int, int]:
        return {row[0]: row[1] or 0 for row in self._query(self.approach.counters) if row[0]}

    def total(self) -> int:
        statement = f"SELECT sum(n)::bigint FROM ({self.approach.counters}) AS counted (id, n)"  # noqa: S608
        return int(self._query(statement)[0][0] or 0)

    def settle(self) -> Verdict[int]:
        """Wait until everything that was answered is counted, and check every content."""
        expected = sum(self.before.values()) + expected_sum(self.ledger, self.contents)
        wait_for(self.total, expected, DRAIN_SECONDS)
        now = self.counters()
        gained = {content: n - self.before.get(content, 0) for content, n in now.items()}
        verdict = check(gained, self.ledger, self.contents)
        self.before, self.ledger = now, Ledger()  # each missing view is reported once
        return verdict

    def close(self) -> None:
        self.connection.close()
