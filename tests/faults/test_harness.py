"""The harness can be believed: it finds pauses, and repeats a run by its seed."""

import json
import os
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest
import redis

from footfall import events
from footfall.eventlog import RedisLog
from loadtest.common.stores import Redis
from loadtest.common.verdict import Gain, Verdict
from loadtest.common.waiting import wait_until
from tests.faults.__main__ import GAP
from tests.faults.campaign import untold
from tests.faults.clustered import CLUSTER_INJECTORS
from tests.faults.failover import FAILOVER_INJECTORS
from tests.faults.fault_plan import (
    CENTURIES,
    CLUSTER_KINDS,
    FAILOVER_KINDS,
    KINDS,
    POSTGRES,
    REDIS,
    Planned,
    plan_faults,
)
from tests.faults.injection import INJECTORS
from tests.faults.intervals import (
    both,
    length,
    longest_pause,
    next_after,
    overlapping,
)
from tests.faults.machine.clocks import LIBRARY, Clocks, works
from tests.faults.machine.disks import Disks
from tests.faults.machine.evicted import Evicted, StoredId, commands, evident, stored_ids, views
from tests.faults.machine.faults import detail, jump_of


def test_a_pause_counts_as_far_as_a_store_was_there() -> None:
    answers = [0.0, 1.0, 6.0, 6.5, 10.0]

    assert longest_pause(answers, (0, 10), []) == (1.0, 6.0)
    assert longest_pause(answers, (0, 10), [(2.0, 3.0), (2.5, 5.5)]) == (6.5, 10.0)
    assert longest_pause(answers, (0, 15), []) == (1.0, 6.0)
    assert longest_pause([], (0, 3), [(1.0, 1.5)]) == (1.5, 3)


def test_times_are_added_and_cut_out() -> None:
    assert length([(0, 2), (1, 3), (5, 6)]) == 4
    assert both([(0, 2), (4, 8)], [(1, 5), (7, 9)]) == [(1, 2), (4, 5), (7, 8)]
    assert overlapping([(0, 2), (5, 9), (1, 3), (6, 7), (9, 10)]) == 2
    assert next_after([1.0, 2.0], 1.0) == 1.0
    assert next_after([1.0, 2.0], 2.0) is None


def test_a_seed_repeats_its_schedule() -> None:
    assert plan_faults(7, 600, 3.7) == plan_faults(7, 600, 3.7)
    assert plan_faults(7, 600, 3.7) != plan_faults(8, 600, 3.7)


def test_ten_minutes_have_150_faults_of_every_kind() -> None:
    for seed in range(20):
        planned = plan_faults(seed, 600, GAP)

        assert len(planned) >= 150
        assert Counter(one.name for one in planned).keys() == KINDS.keys()
        assert max(one.at + one.lasting for one in planned) <= 600


def test_a_part_recovers_before_its_next_fault() -> None:
    planned = plan_faults(7, 300, 1.0)

    for earlier, later in combinations(planned, 2):
        if earlier.kind.parts & later.kind.parts:
            assert later.at >= earlier.at + earlier.lasting + earlier.kind.recovery - 0.02


def test_every_kind_of_fault_can_be_done() -> None:
    assert INJECTORS.keys() == KINDS.keys()
    assert CLUSTER_INJECTORS.keys() == CLUSTER_KINDS.keys()
    assert FAILOVER_INJECTORS.keys() == FAILOVER_KINDS.keys()


def test_what_may_have_come_by_the_spill_tells_nothing_of_what_is_before_it() -> None:
    lost = {StoredId(0, 7, 3)}
    stored = {StoredId(0, 7, 2), StoredId(0, 7, 4), StoredId(1, 7, 9)}

    assert evident(lost, stored) == 0
    stored.add(StoredId(0, 7, 5))
    assert evident(lost, stored) == 1


def test_ten_minutes_have_20_promotions_of_either_store() -> None:
    for seed in range(1, 10):
        planned = plan_faults(seed, 600, GAP, FAILOVER_KINDS)
        promotions = [one.kind.store for one in planned if one.kind.store]
        assert min(promotions.count(REDIS), promotions.count(POSTGRES)) >= 20, seed


@pytest.mark.parametrize(
    ("name", "chance", "said"),
    [
        ("the clock of the worker", 0.0, "+0:00:05"),
        ("the clock of the worker", 0.99, "-60 days"),
        ("Redis killed", 0.5, ""),
    ],
)
def test_it_says_how_far_a_clock_jumps(name: str, chance: float, said: str) -> None:
    assert detail(Planned(1.0, name, 1.0, chance)) == said


def test_a_web_server_is_sent_before_2000_and_after_2200() -> None:
    now = time.time()
    years = {
        datetime.fromtimestamp(now + jump_of(Planned(1.0, CENTURIES, 1.0, chance)), UTC).year
        for chance in (0.2, 0.8)
    }
    assert min(years) < 2000
    assert max(years) > 2200


def test_a_clock_is_wrong_for_a_while(tmp_path: Path) -> None:
    (tmp_path / LIBRARY).touch()
    clocks = Clocks.made(tmp_path / "clocks", tmp_path / LIBRARY)
    clock = Path(clocks.environment("redis")["FAKETIME_TIMESTAMP_FILE"])
    other = Path(clocks.environment("web")["FAKETIME_TIMESTAMP_FILE"])

    with clocks.wrong(["redis"], -3600):
        assert (clock.read_text(), other.read_text()) == ("-3600\n", "+0\n")
    assert clock.read_text() == "+0\n"
    assert not clocks.environment("manage")


def test_a_library_that_sets_no_clock_is_not_used(tmp_path: Path) -> None:
    (tmp_path / LIBRARY).touch()

    assert not works(Clocks.made(tmp_path / "clocks", tmp_path / LIBRARY))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")
def test_a_disk_is_full_for_a_while(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    if not disks.mount():
        pytest.skip("no disk can be mounted here")
    try:
        file = tmp_path / "redis" / "file"
        file.write_bytes(b"." * 10_000)
        with disks.full(["redis"]), pytest.raises(OSError, match="No space left"):
            file.with_name("another").write_bytes(b"." * 10_000)
        file.with_name("another").write_bytes(b"." * 10_000)
        (tmp_path / "service" / "other").write_bytes(b"." * 10_000)
    finally:
        disks.unmount()


def test_what_was_evicted_and_not_stored_is_lost(tmp_path: Path) -> None:
    evicted = Evicted()
    with Redis(tmp_path).served() as store, redis.Redis.from_url(store.url) as client:
        log = RedisLog(store.url)
        ids = [log.append(0, events.encode({"pages.page": [7]}), at=1).event_id]
        with evicted.watched(client, store.directory):
            ids.append(log.append(0, events.encode({"pages.content": [8, 9]}), at=1).event_id)
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("maxmemory", 1)
            wait_until(lambda: not client.dbsize())
            client.config_set("maxmemory", 0)
            log.append(0, events.encode({"pages.page": [10]}), at=1)  # is there
        log.close()

    printed = [
        json.dumps({"partition": 0, "producer_id": producer_id, "sequence": sequence})
        for producer_id, sequence in (ids[0], (None, None))
    ]
    assert [StoredId(0, *one) for one in ids] == list(evicted.events)
    assert views(evicted.lost(stored_ids(printed)).values()) == {"content 8": 1, "content 9": 1}


def test_a_file_that_is_being_written_is_read_as_far_as_it_goes() -> None:
    data = b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n"

    for end in range(len(data)):
        assert list(commands(data[:end])) == [[b"DEL", b"a"]][: end >= 20]
    assert list(commands(data)) == [[b"DEL", b"a"], [b"EXEC"]]


def test_more_told_as_lost_than_can_be_is_untrue() -> None:
    verdict = Verdict({"page 1": Gain(8, 7, 9), "content 1": Gain(80, 70, 90)})

    assert untold(verdict, told=2, evident=2) == ""
    assert "at most 2" in untold(verdict, told=3, evident=0)
    assert "2 evidently are" in untold(verdict, told=1, evident=2)


def test_a_number_that_is_left_out_is_an_evident_loss() -> None:
    lost = [StoredId(0, 7, 3), StoredId(0, 7, 5), StoredId(1, 7, 2)]

    assert evident(lost, [StoredId(0, 7, 4), StoredId(0, 7, 6), StoredId(1, 8, 9)]) == 1
