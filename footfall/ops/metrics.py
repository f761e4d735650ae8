"""The metrics of the counting for Prometheus, each declared here with what it means.

They are read from the log and the database at each scrape, so any process answers for all.
"""

from collections import Counter
from collections.abc import Iterator

from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError
from django.db.models import Sum
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from footfall.cache.entries import get_page_cache
from footfall.conf import conf
from footfall.eventlog import LogError
from footfall.log import get_log
from footfall.models import Batch, HourTotal, Invalidation
from footfall.ops.facts import read_audits
from footfall.ops.status import Status, ask_log, status

GAUGES = {
    "footfall_up": "1 while the store answers.",
    "footfall_waiting_events": "Events in the log that are not counted yet.",
    "footfall_oldest_event_seconds": "Age of the oldest of them; 0 if there is none.",
    "footfall_spilled_events": "Events that went past the log and are not counted yet.",
    "footfall_spilled_oldest_seconds": "Age of the oldest of them; 0 if there is none.",
    "footfall_dead_letter_events": "Events that cannot be counted: an operator has to decide.",
    "footfall_pending_invalidations": "Edits that Redis has still to be told of.",
    "footfall_last_batch_events": "Events of the last flush that had any.",
    "footfall_last_batch_targets": "Different targets of that flush.",
    "footfall_last_batch_seconds": "How long it took.",
    "footfall_last_batch_timestamp_seconds": "When it was committed, since 1970.",
    "footfall_dropped_events": "Events of the kept batches (7 days) that were dropped, by reason.",
    "footfall_audit_differences": "Counters that the last audit found wrong.",
    "footfall_audit_broken": "What else the last audit found broken.",
    "footfall_audit_timestamp_seconds": "When the last audit ended, since 1970.",
}
COUNTERS = {
    "footfall_events_total": "Events that were applied.",
    "footfall_views_total": "Views that were counted, by what was viewed.",
    "footfall_lost_events_total": "Events that a store has lost, at least.",
    "footfall_cache_misses_total": "Reads for which an answer had to be prepared.",
}


def gauge(name: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, GAUGES[name], labels=labels)


def counter(name: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, COUNTERS[name], labels=labels)


def single(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, GAUGES[name], value=value)


class CountingCollector(Collector):
    """Reads them. `footfall_up` says which store is away; its metrics are missing then."""

    def collect(self) -> Iterator[Metric]:
        up = gauge("footfall_up", "store")
        try:
            now = status()
            from_database = list(self.of_database(now))
        except DatabaseError:
            up.add_metric(["database"], 0)
            up.add_metric(["log"], log_answers())
        else:
            up.add_metric(["database"], 1)
            up.add_metric(["log"], not now.log_error)
            yield from from_database
            yield from self.of_log(now)
        yield up

    def describe(self) -> Iterator[Metric]:
        """Yield the names without reading the stores: the registry checks them for duplicates."""
        yield from (gauge(name) for name in GAUGES)
        yield from (counter(name) for name in COUNTERS)

    def of_database(self, now: Status) -> Iterator[Metric]:
        yield from partitioned(now)
        yield views()
        yield single("footfall_spilled_events", now.spilled)
        yield single("footfall_spilled_oldest_seconds", now.spilled_oldest_seconds or 0)
        yield single("footfall_dead_letter_events", now.dead_letters)
        yield single("footfall_pending_invalidations", Invalidation.objects.count())
        if last := Batch.objects.order_by("-pk").first():
            yield single("footfall_last_batch_events", last.events)
            yield single("footfall_last_batch_targets", last.targets)
            yield single("footfall_last_batch_seconds", last.seconds)
            yield single("footfall_last_batch_timestamp_seconds", last.at.timestamp())
        yield dropped()
        audit = read_audits().result
        if audit and audit.finished_at:
            yield single("footfall_audit_differences", audit.differences)
            yield single("footfall_audit_broken", audit.broken)
            yield single("footfall_audit_timestamp_seconds", audit.finished_at.timestamp())

    def of_log(self, now: Status) -> Iterator[Metric]:
        if now.log_error:
            return
        waiting = gauge("footfall_waiting_events", "partition")
        oldest = gauge("footfall_oldest_event_seconds", "partition")
        for one in now.partitions:
            number = [str(one.partition.number)]
            waiting.add_metric(number, one.undelivered or 0)
            oldest.add_metric(number, one.oldest_seconds or 0)
        yield waiting
        yield oldest
        misses = counter("footfall_cache_misses_total")
        try:
            numbers = range(conf.COUNTERS_PARTITIONS)
            misses.add_metric([], sum(get_page_cache().misses(number) for number in numbers))
        except LogError:
            return
        yield misses


def log_answers() -> bool:
    try:
        ask_log(lambda: get_log().length(0))
    except LogError:
        return False
    return True


def views() -> Metric:
    family = counter("footfall_views_total", "model")
    sums = HourTotal.objects.order_by().values("content_type").annotate(views=Sum("views"))
    for row in sums:
        kind = ContentType.objects.get_for_id(row["content_type"])
        family.add_metric([f"{kind.app_label}.{kind.model}"], row["views"])
    return family


def partitioned(now: Status) -> Iterator[Metric]:
    events = counter("footfall_events_total", "partition")
    lost = counter("footfall_lost_events_total", "partition")
    for one in now.partitions:
        number = [str(one.partition.number)]
        events.add_metric(number, one.partition.events)
        lost.add_metric(number, one.partition.missing)
    yield events
    yield lost


def dropped() -> Metric:
    family = gauge("footfall_dropped_events", "reason")
    sums: Counter[str] = Counter()
    for reasons in Batch.objects.exclude(dropped={}).values_list("dropped", flat=True):
        sums.update(reasons)
    for reason, count in sorted(sums.items()):
        family.add_metric([reason], count)
    return family
