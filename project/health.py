"""`/healthz`: can this process answer? `/readyz`: is every part of the service there?"""

import logging
from collections.abc import Callable, Mapping

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from footfall.ops.readiness import PARTS, examine

logger = logging.getLogger(__name__)


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while pages can be answered: they come from the database."""
    return _report({"database": PARTS["database"]})


@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part is there, else 503 and what is missing."""
    return _report(PARTS)


def _report(parts: Mapping[str, Callable[[], None]]) -> JsonResponse:
    report, missing = examine(parts)
    if not missing:
        return JsonResponse({"status": "ok", **report})
    logger.warning("missing: %s", report)
    return JsonResponse({"detail": f"missing: {', '.join(missing)}", **report}, status=503)
