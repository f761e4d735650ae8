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
from uploads.processing import dead_letters
from uploads.queue import get_queue
from uploads.web.quotas import find_disk

GAUGES = {
    "footfall_files": "Files, by status.",
    "footfall_queued_files": "Entries in the queue.",
    "footfall_dead_letters": "Files that were given up, and entries of none: staff have to decide.",
    "footfall_storage_free_bytes": "Free where files are stored; below a limit none is accepted.",
}
LABELS = {"footfall_files": "status"}


class FilesCollector(Collector):
    """Collects the metrics; those of a store that is away are missing."""

    def collect(self) -> Iterator[Metric]:
        with suppress(DatabaseError):
            yield files_by_status()
        with suppress(LogError):
            yield gauge("footfall_queued_files", get_queue().length())
        with suppress(LogError, DatabaseError):
            yield gauge("footfall_dead_letters", dead_letters.count())
        if disk := find_disk():
            yield gauge("footfall_storage_free_bytes", disk.free)

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
