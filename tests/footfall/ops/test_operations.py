"""What docs/how-to/operate.md tells operators to do, done with the commands that it names."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db.models.deletion import ProtectedError

from catalog.pages.models import Content, Page
from footfall import events
from footfall.eventlog import RedisLog
from footfall.flush import flush
from footfall.models import DeadLetter, HourTotal, Projection, Rollup
from footfall.ops.audit.run import CHECKS, broken_totals, differences
from footfall.ops.status import status
from footfall.record import record
from tests.support import processes
from tests.support.views import AT, Counts

pytestmark = pytest.mark.django_db(transaction=True)


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = processes.run(environment, processes.manage, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("after", ["1", "6"])
def test_partitions_are_changed_with_events_in_flight(
    page: Page,
    contents: list[Content],
    counts: Counts,
    environment: dict[str, str],
    after: str,
) -> None:
    """The web server still writes to two while the flusher has another number, then it, too."""
    pages = [page, *Page.objects.bulk_create(Page(title=str(n)) for n in range(9))]
    for each in pages:
        record(each, contents)
    changed = {**environment, "COUNTERS_PARTITIONS": after}
    first = manage(environment, "counters", "flush")
    for each in pages:  # in flight, in the partitions of before
        record(each, contents)

    second = manage(changed, "counters", "flush")
    for each in pages:  # a server that was not started again yet
        record(each, contents)
    third = manage(changed, "counters", "flush")

    assert [first, second, third] == ["10 events counted\n"] * 3
    assert counts() == [30, 30, 30]
    assert "clean" in manage(changed, "counters", "audit")


def test_events_of_a_model_that_was_removed_wait_and_hold_up_no_other(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    removed = ContentType.objects.create(app_label="shop", model="item")
    Rollup.objects.create(content_type=removed, target_id=1, hour="2025-11-21T00:00Z", views=5)
    HourTotal.objects.create(content_type=removed, hour="2025-11-21T00:00Z", views=5)
    log.append(0, events.encode({"shop.item": [1]}), AT)
    log.append(0, events.encode({"pages.content": [contents[0].pk]}), AT)

    flush()

    assert counts() == [1, 0, 0]
    assert not DeadLetter.objects.exists()
    waiting = [one for one in status().projections if one.lag_events]
    assert [(one.name, one.is_known) for one in waiting] == [
        ("hourly:shop.item", False),
        ("totals:shop.item", False),
    ]
    for look in (differences, *CHECKS):
        assert not list(look())
    with pytest.raises(ProtectedError):
        removed.delete()
    for table in (Rollup, HourTotal):
        table.objects.filter(content_type=removed).delete()
    removed.delete()
    Projection.objects.filter(name__endswith=":shop.item").delete()
    assert not list(broken_totals())
    assert status().pending == 0
