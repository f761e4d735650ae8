from io import StringIO

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from pytest_django import Settings

from catalog.pages.models import Content, Page
from counters.audit import Difference, broken_positions, differences, repair
from counters.flush import flush
from counters.models import Adjustment, Mark, Partition, Rollup
from counters.record import record
from eventlog import Log
from tests.counters.conftest import AT
from tests.counters.test_flush import store_views
from tests.counters.test_spill import Counts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted(page: Page, contents: list[Content]) -> None:
    for _ in range(3):
        record(page, contents)
    flush()


def audit(*options: str) -> str:
    out = StringIO()
    call_command("counters", "audit", *options, stdout=out)
    return out.getvalue()


def test_what_was_only_counted_is_clean() -> None:
    assert "clean" in audit()


def test_a_counter_that_differs_is_named(contents: list[Content]) -> None:
    Content.objects.filter(pk=contents[1].pk).update(counter=7)

    assert list(differences()) == [Difference("pages.content", contents[1].pk, 7, 3)]
    with pytest.raises(CommandError, match="1 counters differ"):
        audit()


def test_a_counter_without_any_rollup_differs(contents: list[Content]) -> None:
    Rollup.objects.all().delete()

    assert len(list(differences())) == 4


def test_repair_mends_from_the_rollups(contents: list[Content], counts: Counts) -> None:
    Content.objects.filter(pk=contents[1].pk).update(counter=7)

    assert "set to 3" in audit("--repair")
    assert counts() == [3, 3, 3]
    assert "clean" in audit()


def test_adjustments_belong_to_the_sum(contents: list[Content]) -> None:
    Adjustment.objects.create(
        content_type=ContentType.objects.get_for_model(Content),
        target_id=contents[0].pk,
        amount=-2,
        reason="a robot",
    )

    assert [str(difference) for difference in differences()] == [
        f"pages.content {contents[0].pk}: counter 3, rollups say 1"
    ]
    audit("--repair")
    assert Content.objects.get(pk=contents[0].pk).counter == 1


def test_a_target_that_is_gone_is_not_repaired() -> None:
    assert repair(Difference("pages.content", 2**40, 1, 0)) is None


def test_a_log_that_was_trimmed_above_its_position_is_reported(
    log: Log, contents: list[Content], settings: Settings
) -> None:
    settings.EVENTLOG_RETENTION_BYTES = 2
    store_views(log, *[(AT, [contents[0].pk])] * 500)
    flush()
    Partition.objects.filter(number=0).update(ordinal=1)

    with pytest.raises(CommandError, match="1 positions are broken"):
        audit("--repair")


def test_a_position_that_moves_meanwhile_is_no_finding(
    log: Log, contents: list[Content], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush may come between the look at the position and the look at the log."""
    settings.EVENTLOG_RETENTION_BYTES = 2
    store_views(log, *[(AT, [contents[0].pk])] * 500)
    flush()
    Partition.objects.filter(number=0).update(ordinal=1)
    stale = list(Partition.objects.order_by("number"))
    Partition.objects.filter(number=0).update(position="1-1")

    monkeypatch.setattr(type(Partition.objects.all()), "__iter__", lambda self: iter(stale))

    assert not list(broken_positions())


def test_a_mark_that_went_down_is_reported() -> None:
    Mark.objects.update(seq=0)

    assert [line for line in broken_positions() if "went down" in line]


def test_an_audit_without_redis_says_so(settings: Settings) -> None:
    settings.EVENTLOG_URL = "redis://127.0.0.1:1"

    with pytest.raises(CommandError, match="The log is away"):
        audit()
