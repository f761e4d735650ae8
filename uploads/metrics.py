"""The Prometheus metrics of files."""

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
    "footfall_queued_files": "Entries in the queue, waiting or being processed.",
    "footfall_dead_letters": "Events of files that were given up: staff have to decide.",
}
LABELS = {"footfall_files": "status"}


class FilesCollector(Collector):
    """Collects the metrics; those of a store that is away are missing."""

    def collect(self) -> Iterator[Metric]:
        with suppress(DatabaseError):
            yield files_by_status()
        queue = get_queue()
        with suppress(LogError):
            yield gauge("footfall_queued_files", queue.length())
            yield gauge("footfall_dead_letters", queue.count_dead_letters())

    def describe(self) -> Iterator[Metric]:
        """Return the names without asking the stores; the registry checks for duplicates."""
        yield from (GaugeMetricFamily(name, text) for name, text in GAUGES.items())


def gauge(name: str, value: int) -> Metric:
    return GaugeMetricFamily(name, GAUGES[name], value=value)


def files_by_status() -> Metric:
    """Count the files of each status, 0 included."""
    family = GaugeMetricFamily(
        "footfall_files", GAUGES["footfall_files"], labels=[LABELS["footfall_files"]]
    )
    counts = dict(File.objects.order_by().values_list("status").annotate(n=Count("*")))
    for status in Status.values:
        family.add_metric([status], counts.get(status, 0))
    return family
