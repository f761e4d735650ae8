"""`/metrics` for Prometheus. Meant for the inner network; proxies do not pass it on."""

from collections.abc import Iterator

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from footfall.ops.metrics import CountingCollector
from project.databases.replica import is_configured, replica
from uploads.metrics import FilesCollector

GAUGES = {
    "footfall_database_timeline": "PostgreSQL's timeline: a higher one after each promotion.",
    "footfall_replica_used": "1 while lists are read from the replica; missing without one.",
    "footfall_replica_lag_seconds": "How far it is behind; missing while it does not answer.",
}
TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"


class DatabaseCollector(Collector):
    """Tells which primary it is, and how far the replica is behind."""

    def collect(self) -> Iterator[Metric]:
        for name, value in {**timeline(), **of_replica()}.items():
            if value is not None:
                yield GaugeMetricFamily(f"footfall_{name}", GAUGES[f"footfall_{name}"], value)

    def describe(self) -> Iterator[Metric]:
        """Yield the names without asking a database."""
        yield from (GaugeMetricFamily(name, text) for name, text in GAUGES.items())


def timeline() -> dict[str, float | None]:
    if connection.vendor != "postgresql":
        return {}
    try:
        with connection.cursor() as cursor:
            cursor.execute(TIMELINE)
            return {"database_timeline": cursor.fetchone()[0]}
    except Error:
        return {}


def of_replica() -> dict[str, float | None]:
    if not is_configured():
        return {}
    state = replica.state()
    return {"replica_used": float(state.is_used), "replica_lag_seconds": state.lag_seconds}


REGISTRY = CollectorRegistry()
REGISTRY.register(DatabaseCollector())
REGISTRY.register(CountingCollector())
REGISTRY.register(FilesCollector())


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
