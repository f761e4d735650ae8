"""When an event happened: three clocks, of which one may be anywhere."""

import time
from datetime import timedelta
from unittest import mock

import pytest
from django.db.models.functions import Now

from catalog.pages.models import Content, Page
from footfall.events import EARLIEST, LATEST, encode
from footfall.flush import flush, flush_all
from footfall.ingest.spill import replay, spill
from footfall.ingest.times import BLOCK, plausible, plausible_times
from footfall.models import DeadLetter, Rollup, Spilled
from footfall.record import record
from tests.support.views import HOUR, Counts

pytestmark = pytest.mark.usefixtures("real_delay")
AT = (int(time.time() * 1000) // HOUR - 12) * HOUR
"""A full hour of today or yesterday."""
NOW = 1_763_683_200_000
MINUTE, DAY = 60_000, 24 * HOUR
YEARS = 40 * 365 * DAY


@pytest.mark.parametrize(
    ("at", "logged_at", "now", "found"),
    [
        (NOW, NOW, NOW, NOW),
        (NOW - 25 * HOUR, NOW, NOW, NOW - 25 * HOUR),
        (NOW + 5 * MINUTE, NOW, NOW, NOW + 5 * MINUTE),
        (NOW - 25 * HOUR - 1, NOW, NOW, NOW),
        (NOW + 5 * MINUTE + 1, NOW, NOW, NOW),
        (NOW - DAY, NOW - DAY, NOW, NOW - DAY),  # it has waited
        (0, NOW, NOW, NOW),
        (2**63 - 1, NOW - DAY, NOW, NOW - DAY),
        (NOW, NOW + YEARS, NOW, NOW),  # Redis' clock is ahead
        (NOW + YEARS, NOW + YEARS + DAY, NOW, NOW + YEARS),  # the database's is behind
        (0, 0, NOW, EARLIEST),
        (2**62, 2**62, 2**62, LATEST - 1),
    ],
)
def test_a_time_is_taken_unless_another_clock_contradicts(
    at: int, logged_at: int, now: int, found: int
) -> None:
    assert plausible(at, logged_at, now) == found


def test_a_batch_is_looked_at_by_blocks() -> None:
    """Of two days, with an implausible time in the last block."""
    many = 3 * BLOCK + 7
    logged = [NOW + n * 2 * DAY // many for n in range(many)]
    ats = [*logged[:-1], NOW + YEARS]
    ids = [b"%d-0" % one for one in logged]

    found = plausible_times(ats, ids, NOW + 3 * DAY)

    assert found == [*logged[:-1], logged[-1]]
    assert plausible_times(logged[:BLOCK], ids[:BLOCK], NOW + 3 * DAY) is not None
    short = [NOW] * 10
    assert plausible_times(short, [b"%d-0" % NOW] * 10, NOW) is short
    assert plausible_times([], [], NOW) == []


@pytest.mark.django_db
@pytest.mark.parametrize("at", [-YEARS, 0, EARLIEST - 1, LATEST, AT * 1_000])
def test_whatever_a_web_clock_shows_its_views_are_counted(
    at: int, page: Page, contents: list[Content], counts: Counts
) -> None:
    with mock.patch("footfall.record.time.time_ns", return_value=at * 1_000_000):
        record(page, contents)
    spill(0, encode({"pages.content": [contents[0].pk]}), max(at, -(2**63)))

    flush_all()

    assert counts() == [2, 1, 1]
    hours = Rollup.objects.values_list("hour", flat=True).distinct()
    assert all(abs(hour.timestamp() * 1000 - AT - 12 * HOUR) <= HOUR for hour in hours)
    assert not DeadLetter.objects.exists()


@pytest.mark.django_db
def test_a_spilled_view_is_held_against_when_it_was_spilled(contents: list[Content]) -> None:
    body = encode({"pages.content": [contents[0].pk]})
    for at in (AT - DAY, 0):  # the first of them happened half a day before it was spilled
        spill(0, body, at)
    a_day_ago = Now() - timedelta(days=1)
    Spilled.objects.update(inserted_at=a_day_ago)

    flush()

    hours = sorted(Rollup.objects.values_list("hour", flat=True))
    found = [round(hour.timestamp() * 1000 - AT) // HOUR for hour in hours]
    assert found[0] == -24
    assert found[1] in (-12, -11)


@pytest.mark.django_db
@pytest.mark.parametrize("at", [0, LATEST, 2**62, -1])
def test_a_letter_that_was_refused_for_its_time_counts_when_it_was_refused(
    at: int, contents: list[Content], counts: Counts
) -> None:
    body = encode({"pages.content": [contents[0].pk]})
    reason = f"happened at {at}, which is out of range"
    letter = DeadLetter.objects.create(partition=0, at=at, body=body, reason=reason)
    DeadLetter.objects.update(created_at=Now() - timedelta(days=100))
    letter.refresh_from_db()

    replay(DeadLetter.objects.all())
    flush()

    assert counts() == [1, 0, 0]
    assert abs(Rollup.objects.get().hour - letter.created_at) <= timedelta(hours=1)
