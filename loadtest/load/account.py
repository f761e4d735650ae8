"""The account of a load run: what its readers have sent, held against the service's counters."""

from dataclasses import dataclass, field

from loadtest.common.client import Ledger
from loadtest.common.service import Service, Unusable
from loadtest.common.verdict import Verdict, check


@dataclass
class Account:
    """Opened before the first read, closed after the last one.

    The contents may have no other readers meanwhile: their views would look like doubled ones.
    """

    service: Service
    pages: list[int]
    contents: dict[int, list[int]]
    before: dict[int, int]
    ledger: Ledger = field(default_factory=Ledger)

    @classmethod
    def open(cls, host: str, most: int) -> "Account":
        """Read up to `most` pages once, to know what stands on them; raise Unusable."""
        service = Service(host)
        pages = service.pages(most)
        contents = {page: on_page for page, on_page in service.read(pages).items() if on_page}
        if not contents:
            raise Unusable(f"{host} has no pages with contents: `manage.py populate` makes some")
        some = next(iter(contents.values()))[0]
        service.wait_counted(some)
        every = sorted({content for on_page in contents.values() for content in on_page})
        return cls(service, list(contents), contents, service.totals(every))

    def sent(self, page: int) -> None:
        self.ledger.attempted[page] += 1

    def answered(self, page: int) -> None:
        self.ledger.answered[page] += 1

    def close(self) -> Verdict[int]:
        """Wait until everything is counted; tell whether it was counted rightly."""
        self.service.wait_counted(next(iter(self.before)))
        now = self.service.totals(list(self.before))
        gained = {content: n - self.before[content] for content, n in now.items()}
        return check(gained, self.ledger, self.contents)

    def summary(self, verdict: Verdict[int]) -> str:
        attempted, answered = self.ledger.attempted.total(), self.ledger.answered.total()
        said = (
            f"{answered:,} reads of pages were answered, {attempted - answered:,} more were sent; "
            f"{len(self.before):,} contents: lost {verdict.lost}, doubled {verdict.doubled}"
        )
        if verdict:
            return f"{said}. Every counter is right."
        return f"{said}. WRONG, for instance contents {sorted(verdict.wrong())[:20]}"
