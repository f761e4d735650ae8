"""`/metrics` for Prometheus. Meant for the inner network; proxies do not pass it on."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from footfall.ops.metrics import CountingCollector
from project.databases.replica import is_configured, replica
from uploads.metrics import FilesCollector

REPLICA_GAUGES = {
    "footfall_replica_used": "1 while lists are read from the replica; missing without one.",
    "footfall_replica_lag_seconds": "How far it is behind; missing while it does not answer.",
}


class ReplicaCollector(Collector):
    """Tells how far the replica is behind."""

    def collect(self) -> Iterator[Metric]:
        if not is_configured():
            return
        state = replica.state()
        found = {"used": float(state.is_used), "lag_seconds": state.lag_seconds}
        for name, text in REPLICA_GAUGES.items():
            value = found[name.removeprefix("footfall_replica_")]
            if value is not None:
                yield GaugeMetricFamily(name, text, value)

    def describe(self) -> Iterator[Metric]:
        """Yield the names without asking the replica."""
        yield from (GaugeMetricFamily(name, text) for name, text in REPLICA_GAUGES.items())


REGISTRY = CollectorRegistry()
REGISTRY.register(ReplicaCollector())
REGISTRY.register(CountingCollector())
REGISTRY.register(FilesCollector())


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
