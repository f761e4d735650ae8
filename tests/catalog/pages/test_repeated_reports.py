"""Views that are reported twice, in any order, with kills between: each is counted once."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from catalog.pages.models import Page
from footfall.flush import flush, flush_all
from footfall.models import ClientKey
from footfall.ops.audit.run import differences
from tests.support.crashes import dying
from tests.support.failpoints import INGEST, PROJECT
from tests.support.pages import make_page, make_text

pytestmark = pytest.mark.django_db

STEPS = ["", *INGEST, *PROJECT]
"""Where a flush dies; "": nowhere."""


@pytest.mark.usefixtures("no_throttles")
@pytest.mark.parametrize("reports", [300, pytest.param(3_000, marks=pytest.mark.long)])
def test_each_counts_once_whatever_dies(reports: int, client: Client) -> None:
    chance = random.Random(reports)
    pages = [make_page(make_text()) for _ in range(7)]
    views: list[dict[str, Any]] = [
        {"page": chance.choice(pages).pk, "id": str(UUID(int=chance.getrandbits(128)))}
        for _ in range(reports // 2)
    ]
    sent = 2 * views
    chance.shuffle(sent)

    for some in parts(sent, chance):
        if chance.random() < 0.2:
            client.get(f"/api/v1/pages/{pages[0].pk}/", headers={"Idempotency-Key": "x" * 16})
        answer = client.post(
            "/api/v1/views/", json.dumps({"views": some}), content_type="text/plain"
        )
        assert answer.json() == {"accepted": len(some), "rejected": []}
        with dying(chance.choice(STEPS)):
            flush(limit=chance.choice([3, 30, 300]))
    flush_all()

    expected = Counter(view["page"] for view in views)
    expected[pages[0].pk] += 1  # the reads
    counted = Page.objects.filter(pk__in=list(expected)).values_list("pk", "counter")
    assert dict(counted) == expected
    counters = {page.pk: page.placements.get().content.counter for page in pages}
    assert counters == expected
    assert ClientKey.objects.count() == len(views) + 1
    assert not list(differences())


def parts(sent: Sequence[Any], chance: random.Random) -> Iterator[Sequence[Any]]:
    """Yield them all, in order, up to 20 at a time."""
    start = 0
    while start < len(sent):
        size = chance.randint(1, 20)
        yield sent[start : start + size]
        start += size
