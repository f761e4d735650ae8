"""Databases that share a Redis, and what becomes of a copy and of a restored one."""

from collections.abc import Callable
from contextlib import suppress
from unittest import mock

import pytest
import redis
from django.core.management import CommandError, call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall import log as log_module
from footfall.cache.cached_pages import fill, lease, read_and_record
from footfall.cache.entries import get_page_cache
from footfall.eventlog import Full, PositionLost, RedisLog
from footfall.eventlog.entries import UNKNOWN_DAY
from footfall.events import encode
from footfall.flush import flush, flush_all, ingest
from footfall.identity import Moment
from footfall.log import forget_owner, get_log, identities, logs_of_others, owner
from footfall.models import Identity, Partition, Segment
from footfall.ops.status import status
from footfall.record import Unacknowledged, record
from footfall.viewers import memory
from loadtest.common.waiting import wait_until
from tests.support.views import AT, Counts

pytestmark = pytest.mark.django_db
read = memory.read  # before it is replaced for each test


def be(name: str) -> None:
    """Let this process be one of another database: from its start on."""
    Identity.objects.update(name=name)
    Partition.objects.all().delete()
    forget_owner()


def test_a_log_of_before_is_not_read_for_another_identity(
    page: Page, contents: list[Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that forgets the identity does so step by step: first the name, then the log."""
    be("one")
    record(page, contents)
    old = get_log()
    be("two")
    monkeypatch.setattr("footfall.flush.get_log", mock.Mock(side_effect=[old, get_log()]))

    assert not ingest().segments


def counted() -> int:
    return sum(Content.objects.values_list("counter", flat=True))


def test_of_two_databases_on_one_redis_each_counts_its_own_views(
    page: Page, contents: list[Content]
) -> None:
    be("one")
    for _ in range(3):
        record(page, contents)
    be("two")
    record(page, contents)

    assert flush_all() == 1
    be("one")
    assert flush_all() == 3


def test_of_two_databases_on_one_redis_none_serves_the_pages_of_the_other(
    page: Page, contents: list[Content]
) -> None:
    be("one")
    own = lease(Page, page.pk)
    assert own
    fill(own, page, contents, b"of one")
    be("two")

    assert read_and_record(Page, page.pk) is None
    be("one")
    assert (read_and_record(Page, page.pk) or [b""])[0] == b"of one"


def test_a_new_database_beside_an_old_log_counts_nothing_of_it(
    page: Page, contents: list[Content], prefix: str, server: redis.Redis
) -> None:
    """As a test run beside a development service, too."""
    for _ in range(3):
        record(page, contents)
    flush()
    record(page, contents)
    Segment.objects.all().delete()
    be("new")

    assert flush_all() == 0
    assert status().pending == 0
    assert logs_of_others() == {"": 4}
    be("")
    assert logs_of_others() == {}


def test_a_process_learns_its_identity_once(page: Page, contents: list[Content]) -> None:
    be("one")
    record(page, contents)
    with (
        mock.patch("footfall.log.moment", side_effect=AssertionError),
        mock.patch.object(identities(), "_call", side_effect=AssertionError),
    ):
        record(page, contents)
        assert get_log().prefix.endswith(":one")
        assert get_page_cache()._prefix == get_log().prefix


def test_after_a_flush_of_django_it_is_read_again() -> None:
    be("one")
    assert get_log().prefix.endswith(":one")
    Identity.objects.all().delete()

    emit_post_migrate_signal(0, False, "default")

    assert owner().name == Identity.objects.get().name != "one"
    assert get_log().prefix.endswith(f":{owner().name}")


def test_a_row_that_is_lost_is_as_before(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    """What waits in the log of this database, and what its web servers go on to record, counts."""
    be("one")
    identities().add("another")
    record(page, contents)
    flush()
    Segment.objects.update(epoch=700)
    record(page, contents)
    Identity.objects.all().delete()
    record(page, contents)
    forget_owner()  # a process that starts
    record(page, contents)

    assert flush_all() == 3
    found = Identity.objects.get()
    assert (found.name, found.epoch) == ("one", 700)
    assert counts() == [4, 4, 4]


def test_a_row_that_is_lost_is_made_anew_if_the_log_does_not_tell(
    page: Page, contents: list[Content], server: redis.Redis, prefix: str
) -> None:
    be("one")
    record(page, contents)
    flush()
    server.delete(f"{prefix}:identities")
    Identity.objects.all().delete()
    forget_owner()

    record(page, contents)

    assert flush_all() == 1
    assert Identity.objects.get().name not in ("", "one")


def test_a_row_that_is_lost_waits_for_the_log(
    page: Page, contents: list[Content], settings: Settings
) -> None:
    be("one")
    record(page, contents)
    flush()
    Identity.objects.all().delete()
    url = settings.COUNTERS_LOG_URL
    settings.COUNTERS_LOG_URL = settings.COUNTERS_TEST_LOG_URL = "redis://127.0.0.1:1"
    with pytest.raises(Unacknowledged):
        record(page, contents)
    settings.COUNTERS_LOG_URL = settings.COUNTERS_TEST_LOG_URL = url

    record(page, contents)

    assert flush_all() == 1
    assert Identity.objects.get().name == "one"


def test_a_web_server_looks_whether_its_database_is_the_same(
    page: Page, contents: list[Content]
) -> None:
    be("one")
    record(page, contents)
    Identity.objects.update(name="two")  # by another process
    record(page, contents)

    read()  # as a thread does every minute
    record(page, contents)

    assert owner().name == "two"
    assert flush_all() == 1


def test_after_a_flush_of_django_it_is_there_before_a_transaction_is_rolled_back(
    page: Page, contents: list[Content]
) -> None:
    Identity.objects.all().delete()
    emit_post_migrate_signal(0, False, "default")

    with suppress(ZeroDivisionError), transaction.atomic():
        name = owner().name
        raise ZeroDivisionError
    record(page, contents)

    assert flush_all() == 1
    assert owner().name == name


def test_an_ingest_notices_that_its_database_has_another_identity(
    page: Page, contents: list[Content]
) -> None:
    be("one")
    record(page, contents)
    Identity.objects.update(name="two")  # by another process

    assert flush_all() == 0
    assert owner().name == "two"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, prefix: str, server: redis.Redis) -> mock.Mock:
    """The database does not answer a process that starts. None was noted in Redis."""
    server.delete(f"{prefix}:identities")
    asked = mock.Mock(side_effect=OperationalError("away"))
    monkeypatch.setattr("footfall.log.moment", asked)
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.01)
    forget_owner()
    return asked


def test_while_the_database_is_away_the_only_identity_is_used(away: mock.Mock) -> None:
    identities().add("only")

    assert get_log().prefix.endswith(":only")
    assert owner().day == UNKNOWN_DAY
    away.side_effect = None
    away.return_value = Moment("now", 9 * 24, Identity.objects.get().epoch_at)
    wait_until(lambda: owner().name == "now")
    assert owner().today() == 9


@pytest.mark.parametrize("names", [[], ["one", "two"]])
def test_while_the_database_is_away_none_of_several_is_used(
    names: list[str], away: mock.Mock, page: Page, client: Client
) -> None:
    for name in names:
        identities().add(name)

    with pytest.raises(OperationalError):
        get_log()
    url = reverse("page-detail", args=[page.pk])
    assert client.get(url).status_code == 503


# --- Copies and restored databases ----------------------------------------------------------------


def test_a_copy_with_a_new_identity_begins_anew(
    page: Page, contents: list[Content], counts: Counts, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        record(page, contents)
    flush_all()
    record(page, contents)
    Partition.objects.update(flushed_at="2000-01-01T00:00:00Z")

    call_command("counters", "new-identity")

    name = Identity.objects.get().name
    assert name
    assert f"{name} now. Restart all processes" in capsys.readouterr().out
    assert flush_all() == 0
    record(page, contents)
    assert flush_all() == 1
    assert counts() == [4, 4, 4]
    call_command("counters", "status")
    assert "the log of another database, -: 4 entries" in capsys.readouterr().out


def test_a_database_whose_service_runs_gets_no_new_identity(
    page: Page, contents: list[Content]
) -> None:
    record(page, contents)
    flush_all()

    with pytest.raises(CommandError, match="stop its processes"):
        call_command("counters", "new-identity")

    assert Identity.objects.get().name == ""


def test_a_copy_that_reads_the_same_log_is_noticed(
    page: Page, contents: list[Content], capsys: pytest.CaptureFixture[str]
) -> None:
    def conflict() -> bool:
        return Identity.objects.exclude(conflict_at=None).exists()

    for _ in range(3):
        record(page, contents)
        flush()
    assert not conflict()
    copied = transaction.savepoint()
    record(page, contents)
    flush()
    assert not conflict()

    transaction.savepoint_rollback(copied)
    flush()

    assert conflict()
    call_command("counters", "status")
    assert (
        "another database reads this log, or this database was restored" in capsys.readouterr().out
    )
    Identity.objects.update(conflict_at=None)
    flush()
    assert not conflict()


def test_a_restored_database_that_has_gone_on_is_noticed(
    page: Page, contents: list[Content]
) -> None:
    """Its numbers are higher than those that were noted, but its segments are others."""
    record(page, contents)
    flush()
    restored = transaction.savepoint()
    record(page, contents)
    flush()
    (name, newest) = (owner().name, identities().newest(owner().name))
    assert newest
    transaction.savepoint_rollback(restored)
    for _ in range(3):
        record(page, contents)
        flush()
    Identity.objects.update(conflict_at=None)
    identities().note(name, newest)

    flush()

    assert Identity.objects.exclude(conflict_at=None).exists()


@pytest.mark.parametrize("value", ["", "nonsense", "7", "-1 -1", "9" * 30 + " 1"])
def test_what_redis_says_of_segments_stops_nothing(
    value: str, page: Page, contents: list[Content], prefix: str, server: redis.Redis
) -> None:
    server.hset(f"{prefix}:identities", "", value)
    record(page, contents)

    assert flush_all() == 1
    server.delete(f"{prefix}:identities")
    server.set(f"{prefix}:identities", "of another type")
    record(page, contents)
    assert flush_all() == 1


# --- What the log says of itself ------------------------------------------------------------------


def test_partitions_that_only_web_servers_know_are_counted(
    log: RedisLog, contents: list[Content], counts: Counts
) -> None:
    """This process has two."""
    body = encode({"pages.content": [contents[0].pk]})
    for partition in (3, 3, 15, 255):
        log.append(partition, body, AT)

    assert flush_all() == 4
    log.append(15, body, AT)

    assert status().pending == 1
    assert flush_all() == 1
    assert counts() == [5, 0, 0]
    assert [one.partition.number for one in status().partitions] == [0, 1, 3, 15, 255]


@pytest.mark.parametrize(
    ("done", "how"),
    [
        (lambda server, stream: server.delete(stream), PositionLost.STARTED_OVER),
        (lambda server, stream: server.xtrim(stream, 1, approximate=False), PositionLost.TRIMMED),
    ],
)
def test_a_log_that_has_lost_its_position_says_so_once(
    done: Callable[[redis.Redis, str], int],
    how: PositionLost,
    log: RedisLog,
    contents: list[Content],
    prefix: str,
    server: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = encode({"pages.content": [contents[0].pk]})
    log.append(0, body, AT)
    flush()
    assert not Partition.objects.exclude(position_lost="").exists()
    log.append(0, body, AT)

    done(server, f"{prefix}:{{0}}:log")
    flush()

    lost = Partition.objects.get(number=0)
    assert (lost.position_lost, lost.position_lost_at is not None) == (how, True)
    call_command("counters", "status")
    told = f"the log of partition 0: its position was lost at {lost.position_lost_at:%Y-%m-%d}"
    assert told in capsys.readouterr().out
    Partition.objects.update(position_lost="")
    log.append(0, body, AT)
    flush()
    assert not Partition.objects.exclude(position_lost="").exists()


def test_a_full_log_of_another_database_is_no_obstacle(
    settings: Settings, page: Page, contents: list[Content]
) -> None:
    settings.COUNTERS_LOG_MAX_BYTES = 2
    be("one")
    record(page, contents)
    for partition in (0, 1):
        with suppress(Full):
            while True:
                get_log().append(partition, b"", AT)
    be("two")

    first = [get_log().append(partition, b"", AT).event_id for partition in (0, 1)]
    assert [event_id.sequence for event_id in first] == [0, 0]
