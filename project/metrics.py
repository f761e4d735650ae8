"""`/metrics` for Prometheus. Meant for the inner network; proxies do not pass it on."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from footfall.ops.metrics import CountingCollector
from uploads.metrics import FilesCollector

REGISTRY = CollectorRegistry()
REGISTRY.register(CountingCollector())
REGISTRY.register(FilesCollector())


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
