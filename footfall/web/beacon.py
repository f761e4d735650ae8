"""Views that pages report by themselves, since a cache or a CDN has answered them.

A page names what it shows by a signed token, so nothing else can be reported, and its script makes
an id for each load: however often that is sent, it counts once in 7 days.
"""

import json
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from footfall.events.keys import Life, make_key
from footfall.fields import key_field
from footfall.projections.kept.rows import find
from footfall.record import Unacknowledged, record
from footfall.registry import (
    countable_models,
    counted_as,
    counter_field,
    key_attribute,
    key_of,
    owner_of,
)

SALT = "footfall.beacon"
MAX_BYTES = 1024
"""Of a body. One has 150."""


class Invalid(Exception):
    """It is no report; the message says why."""


class Report(NamedTuple):
    """A view that a page reports."""

    name: str
    """Of the target: "news.article:7"."""
    id: UUID
    """Of this view."""


def token_of(target: models.Model) -> str:
    """Return what names a countable instance in a page: its name, signed with SECRET_KEY.

    Raises TypeError if it is not countable, ValueError without a primary key.
    """
    label = counted_as(type(target))
    if key_of(target) is None:
        raise ValueError(f"A {label} without a primary key: save it first.")
    key = getattr(target, key_attribute(type(target)))
    return Signer(salt=SALT).sign(f"{label}:{key}")


@csrf_exempt
@never_cache
@require_POST
def beacon(request: HttpRequest) -> HttpResponse:
    """Record the reported view: 204; 400 or 413 if it is none, 503 if no store takes it now."""
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return JsonResponse({"detail": "The body is too large."}, status=413)
    try:
        report = parse(body)
        key = make_key(Life.WEEK, "beacon", report.name, report.id.hex)
        record(target_of(report.name), request=request, key=key)
    except Invalid as error:
        return JsonResponse({"detail": str(error)}, status=400)
    except Unacknowledged:
        return JsonResponse({"detail": "Send it again."}, status=503)
    return HttpResponse(status=204)


def parse(body: bytes) -> Report:
    """Return the report of a body: `{"view": token, "id": uuid}`. Raises Invalid."""
    try:
        sent: Any = json.loads(body)
        token, view_id = sent["view"], sent["id"]
        if not isinstance(token, str) or not isinstance(view_id, str):
            raise TypeError
        return Report(Signer(salt=SALT).unsign(token), UUID(view_id))
    except BadSignature:
        raise Invalid("The token is not one that a page has here.") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Invalid('Not a report: {"view": token, "id": UUID}.') from None


def target_of(name: str) -> models.Model:
    """Return the target with this name; it is read only if its model excludes some users' views.

    Raises Invalid if its model is not countable any more, or the row was found to be gone.
    """
    label, _, text = name.partition(":")
    try:
        model = owner_of(countable_models()[label])
        key = key_field(model).to_python(text)
    except (LookupError, ValidationError):
        raise Invalid("What the page shows is not counted any more.") from None
    if counter_field(model).exclude is None:
        target = model(pk=key)
        target._state.adding = False
        return target
    found = find(model, text)
    if found is None:
        raise Invalid("What the page shows is not there any more.")
    return found
