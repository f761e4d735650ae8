"""`/healthz`: can this process answer? `/readyz`: is every part of the service there?"""

import logging
from collections.abc import Iterable

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from footfall.ops.readiness import PARTS, REMARKS, check
from project.databases.replica import is_configured, replica

logger = logging.getLogger(__name__)


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while pages can be answered: they come from the database."""
    return _report(["database"])


@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part is there, else 503 naming what is missing.

    Projections that wait or fail are named, too, and change nothing about it.
    """
    return _report([*PARTS, *REMARKS])


def _report(parts: Iterable[str]) -> JsonResponse:
    states, missing = check(parts)
    if is_configured() and "log" in states:  # no part: the primary answers in its place
        states["replica"] = str(replica.state()) or "ok"
    if not missing:
        return JsonResponse({"status": "ok", **states})
    logger.warning("missing: %s", states)
    return JsonResponse({"detail": f"missing: {', '.join(missing)}", **states}, status=503)
