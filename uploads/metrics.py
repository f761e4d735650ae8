"""What the files tell Prometheus: every metric, with what it means."""

from collections.abc import Iterator
from contextlib import suppress

from django.db import DatabaseError
from django.db.models import Count
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from footfall.eventlog import LogError
from uploads.models import File, Status
from uploads.queue import get_queue

GAUGES = {
    "footfall_files": "Files, by status.",
    "footfall_queued_files": "Entries of the queue that wait or that a worker has taken.",
    "footfall_dead_letters": "Events of files that were given up: an operator has to decide.",
}


class FilesCollector(Collector):
    """Gathers them, as far as the stores are there."""

    def collect(self) -> Iterator[Metric]:
        with suppress(DatabaseError):
            yield by_status()
        queue = get_queue()
        with suppress(LogError):
            yield single("footfall_queued_files", queue.length())
            yield single("footfall_dead_letters", queue.dead_count())

    def describe(self) -> Iterator[Metric]:
        """Say the names without asking the stores, for a registry that looks for doubles."""
        yield from (GaugeMetricFamily(name, text) for name, text in GAUGES.items())


def single(name: str, value: int) -> Metric:
    return GaugeMetricFamily(name, GAUGES[name], value=value)


def by_status() -> Metric:
    """Count the files of each status, those too that no file has."""
    family = GaugeMetricFamily("footfall_files", GAUGES["footfall_files"], labels=["status"])
    counted = dict(File.objects.order_by().values_list("status").annotate(n=Count("*")))
    for status in Status.values:
        family.add_metric([status], counted.get(status, 0))
    return family
