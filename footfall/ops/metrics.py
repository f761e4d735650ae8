"""The metrics of the counting for Prometheus, each declared here with what it means.

They are read from the log and the database at each scrape, so any process answers for all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from django.db import DatabaseError
from django.db.models import Sum
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from footfall import sql
from footfall.cache.entries import get_page_cache
from footfall.conf import conf
from footfall.eventlog import LogError
from footfall.models import (
    COLUMNS,
    KIND_COLUMNS,
    HourTotal,
    Invalidation,
    Partition,
    Projection,
    Segment,
)
from footfall.ops import readiness
from footfall.ops.facts import last_segment, read_audits
from footfall.ops.lag import label_of
from footfall.ops.status import Status, status
from footfall.projections.rows import TOTALS
from footfall.reclassify.past import events_left
from footfall.store.read import PositionLost, load

GAUGES = {
    "footfall_up": "1 while the store answers.",
    "footfall_waiting_events": "Events in the log that are not stored yet.",
    "footfall_oldest_event_seconds": "Age of the oldest of them; 0 if there is none.",
    "footfall_log_may_evict": "1 while Redis may evict the log (maxmemory-policy).",
    "footfall_log_refuses": "1 while Redis refuses to write: its disk is full, for example.",
    "footfall_log_server": "A number of the master: another one after a promotion or a restart.",
    "footfall_log_replicas": "Replicas that follow it; of a cluster, the fewest of a master.",
    "footfall_spilled_events": "Events that went past the log and are not stored yet.",
    "footfall_spilled_oldest_seconds": "Age of the oldest of them; 0 if there is none.",
    "footfall_dead_letter_events": "Events that cannot be counted: an operator has to decide.",
    "footfall_pending_invalidations": "Edits that Redis has still to be told of.",
    "footfall_last_batch_events": "Events of the last segment.",
    "footfall_last_batch_targets": "Different targets of it.",
    "footfall_last_batch_seconds": "How long its ingest took.",
    "footfall_last_batch_timestamp_seconds": "When it was stored, since 1970.",
    "footfall_dropped_events": "Events and views that were dropped so far, by reason.",
    "footfall_segments": "Segments of the event store.",
    "footfall_store_bytes": "What they take in the database; missing where it does not say.",
    "footfall_corrupt_segments": "Segments that cannot be read, 20 at most.",
    "footfall_projection_lag_events": "Stored events that the projection has not applied.",
    "footfall_projection_lag_seconds": "How long the first of them has been stored; 0 if none.",
    "footfall_projection_failing": "1 while the projection fails.",
    "footfall_carried_views": "Views that wait for rows that other transactions have locked.",
    "footfall_agent_views": "Views in the views by the hour, by the kind of agent as now known.",
    "footfall_reclassifying_events": "Events that a reclassification has still to correct.",
    "footfall_audit_differences": "Counters that the last audit found wrong.",
    "footfall_audit_broken": "What else the last audit found broken.",
    "footfall_audit_timestamp_seconds": "When the last audit ended, since 1970.",
}
COUNTERS = {
    "footfall_events_total": "Events that were taken from the log and the spill.",
    "footfall_stored_events_total": "Events in the event store.",
    "footfall_views_total": "Views in the views by the hour, by what was viewed.",
    "footfall_lost_events_total": "Events that a store has lost, at least.",
    "footfall_cache_misses_total": "Reads for which no page was cached.",
}
LABELS = {
    "footfall_up": "store",
    "footfall_waiting_events": "partition",
    "footfall_oldest_event_seconds": "partition",
    "footfall_dropped_events": "reason",
    "footfall_projection_lag_events": "projection",
    "footfall_projection_lag_seconds": "projection",
    "footfall_projection_failing": "projection",
    "footfall_carried_views": "model",
    "footfall_agent_views": "kind",
    "footfall_events_total": "partition",
    "footfall_views_total": "model",
    "footfall_lost_events_total": "partition",
}


def family(name: str, values: Mapping[str, float]) -> Metric:
    """Return a metric with these values by label; without a label, with the value of ""."""
    label = LABELS.get(name)
    kind = GaugeMetricFamily if name in GAUGES else CounterMetricFamily
    made = kind(name, {**GAUGES, **COUNTERS}[name], labels=[label] if label else ())
    for name_of_label, value in values.items():
        made.add_metric([name_of_label] if label else [], value)
    return made


def singles(**values: float) -> Iterator[Metric]:
    yield from (family(f"footfall_{name}", {"": value}) for name, value in values.items())


class CountingCollector(Collector):
    """Reads them. `footfall_up` says which store is away; its metrics are missing then."""

    def collect(self) -> Iterator[Metric]:
        try:
            now = status()
            from_database = list(of_database(now))
        except DatabaseError:
            up = {"database": 0, "log": not readiness.log()}
        else:
            up = {"database": 1, "log": not now.log_error}
            yield from from_database
            if not now.log_error:
                yield from of_log(now)
        yield family("footfall_up", up)

    def describe(self) -> Iterator[Metric]:
        """Yield the names without reading the stores: the registry checks them for duplicates."""
        yield from (family(name, {}) for name in (*GAUGES, *COUNTERS))


def of_database(now: Status) -> Iterator[Metric]:
    partitions = [one.partition for one in now.partitions]
    events = {str(one.number): one.events for one in partitions}
    lost = {str(one.number): one.missing for one in partitions}
    yield family("footfall_events_total", events)
    yield family("footfall_lost_events_total", lost)
    by_model, by_kind = views()
    yield family("footfall_views_total", by_model)
    yield family("footfall_agent_views", by_kind)
    yield from singles(reclassifying_events=events_left())
    yield family("footfall_dropped_events", dropped())
    yield from of_store(now)
    yield from of_projections(now)
    yield from singles(
        spilled_events=now.spilled,
        spilled_oldest_seconds=now.spilled_oldest_seconds or 0,
        dead_letter_events=now.dead_letters,
        pending_invalidations=Invalidation.objects.count(),
    )
    audit = read_audits().result
    if audit and audit.finished_at:
        yield from singles(
            audit_differences=audit.differences,
            audit_broken=audit.broken,
            audit_timestamp_seconds=audit.finished_at.timestamp(),
        )


def of_store(now: Status) -> Iterator[Metric]:
    yield from singles(
        stored_events_total=now.stored_events,
        segments=Segment.objects.count(),
        corrupt_segments=len(now.corrupt_segments),
    )
    if (size := sql.table_bytes(Segment)) is not None:
        yield from singles(store_bytes=size)
    if last := last_segment():
        yield from singles(
            last_batch_events=last.events,
            last_batch_seconds=last.seconds,
            last_batch_timestamp_seconds=last.stored_at.timestamp(),
        )
        with suppress(PositionLost):
            yield from singles(last_batch_targets=targets(last.first, last.number, last.key))


@lru_cache(maxsize=1)
def targets(first: int, number: int, key: int) -> int:
    """Return how many different targets were viewed in a segment. Reads it, so only once."""
    bodies = load(Segment(first=first, number=number, key=key)).targets
    return len({(label, pk) for body in bodies for label, ids in body.items() for pk in ids})


def of_projections(now: Status) -> Iterator[Metric]:
    lags = {one.name: one.lag_events for one in now.projections}
    yield family("footfall_projection_lag_events", lags)
    seconds = {one.name: one.lag_seconds for one in now.projections}
    yield family("footfall_projection_lag_seconds", seconds)
    failing = {one.name: float(one.failed_at is not None) for one in now.projections}
    yield family("footfall_projection_failing", failing)
    carried = {one.label: one.carried_views for one in now.projections if one.kind == TOTALS}
    yield family("footfall_carried_views", carried)


def of_log(now: Status) -> Iterator[Metric]:
    waiting = {str(one.partition.number): one.undelivered or 0 for one in now.partitions}
    oldest = {str(one.partition.number): one.oldest_seconds or 0 for one in now.partitions}
    yield family("footfall_waiting_events", waiting)
    yield family("footfall_oldest_event_seconds", oldest)
    yield from singles(
        log_may_evict=bool(now.redis.policy),
        log_refuses=bool(now.redis.refusal),
        log_server=now.redis.server,
        log_replicas=now.redis.replicas,
    )
    with suppress(LogError):
        misses = sum(map(get_page_cache().misses, range(conf.COUNTERS_PARTITIONS)))
        yield from singles(cache_misses_total=misses)


def views() -> tuple[dict[str, int], dict[str, int]]:
    """Return all views by model, and by kind of agent."""
    sums = HourTotal.objects.order_by().values_list("content_type").annotate(*map(Sum, COLUMNS))
    by_model: dict[str, int] = {}
    by_kind = Counter(dict.fromkeys(KIND_COLUMNS.values(), 0))
    for pk, times, *kinds in sums:
        by_model[label_of(pk)] = times
        by_kind.update(dict(zip(KIND_COLUMNS.values(), kinds, strict=True)))
    return by_model, {**by_kind, "unknown": sum(by_model.values()) - by_kind.total()}


def dropped() -> Counter[str]:
    """Return what ingest and projections have dropped so far, by reason."""
    sums: Counter[str] = Counter()
    for model in (Partition, Projection):
        for reasons in model._default_manager.values_list("dropped", flat=True):
            sums.update(reasons)
    return sums
