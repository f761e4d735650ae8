"""What counting by other keys costs: `pytest -s tests/footfall/targets/bench_keys.py`.

Not a test: pytest does not collect it by itself.
"""

import random
import sys
import time
from itertools import accumulate
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from catalog.pages.models import Page
from footfall import events
from footfall.projections.rows import open_projections
from footfall.projections.run import apply_new_events
from footfall.record import names, targets
from footfall.registry import counted_as
from footfall.store.append import append
from tests.support.store import Stored, built
from tests.support.targets import LongNote, Product
from tests.support.views import AT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_home")]

ROWS, EVENTS, BATCHES = 10_000, 20_000, 6


@pytest.mark.parametrize("model", [Page, LongNote, Product])
def test_keys(model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Batches of views, Zipf over 10,000 rows: the first makes the rows of `KeptCounter`."""
    if model is LongNote:
        rows = [model.objects.create(title="a") for _ in range(ROWS)]
    else:
        rows = model.objects.bulk_create(model(title="a") for _ in range(ROWS))
    bodies = [events.encode(targets(row, ()), names([row])) for row in rows]
    weights = list(accumulate(1 / rank for rank in range(1, ROWS + 1)))
    chance = random.Random(1)
    seconds = []
    for batch in range(BATCHES):
        views = chance.choices(bodies, cum_weights=weights, k=EVENTS)
        run = [Stored(0, sequence=batch * EVENTS + i, at=AT, body=body, meta=b"")
               for i, body in enumerate(views)]  # fmt: skip
        with transaction.atomic():
            before, _segments = append(built(run), timezone.now())
            open_projections([counted_as(model)], before)
        began = time.perf_counter()
        apply_new_events(force=True, kinds=["totals"])
        seconds.append(time.perf_counter() - began)
    with capsys.disabled():
        told = ", ".join(f"{one:.2f}" for one in seconds)
        sys.stdout.write(f"\n{model.__name__}: {EVENTS:,} events a batch in {told} s")
