"""`POST /api/v1/views/`: views that were seen elsewhere, such as on a page from a CDN's cache."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.openapi_responses import errors
from api.parsing import PlainTextJSONParser, ShallowJSONParser
from api.permissions import Public
from api.throttling import ClientThrottle
from catalog.pages.json_template import make_template
from catalog.pages.models import Page
from catalog.pages.queries import load_page
from catalog.pages.serializers import PageDetailSerializer
from footfall.cache import cached_pages
from footfall.eventlog import EventId
from footfall.events import BIGINT
from footfall.events.keys import Life, make_key

MAX_VIEWS = 100
MAX_BYTES = 32 * 1024
"""Of a body. A hundred views have 14 kB."""
MAX_AGE = timedelta(hours=24)
MAX_AHEAD = timedelta(minutes=1)
"""How far the clock of a client may be ahead of ours."""


class Rejection(StrEnum):
    """Why a view is not counted."""

    INVALID = "invalid"
    """It is no object."""
    INVALID_PAGE = "invalid_page"
    INVALID_ID = "invalid_id"
    INVALID_AT = "invalid_at"
    NO_SUCH_PAGE = "no_such_page"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"


class Rejected(Exception):
    def __init__(self, reason: Rejection) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body is too large.")


class UUIDTextField(serializers.UUIDField):
    """Takes no numbers, as DRF's does."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class ReportedViewSerializer(serializers.Serializer[Any]):
    page = serializers.IntegerField(min_value=1, max_value=BIGINT - 1)
    id = UUIDTextField(help_text="Of this view. With each id a page counts once in 7 days.")
    at = serializers.DateTimeField(
        required=False,
        default_timezone=UTC,
        help_text="When it was seen, in the last 24 hours. Default: now.",
    )


class ReportSerializer(serializers.Serializer[Any]):
    views = serializers.ListField(
        child=ReportedViewSerializer(), min_length=1, max_length=MAX_VIEWS
    )


class UncheckedReportSerializer(serializers.Serializer[Any]):
    """A report of which each view is checked by itself: some may be wrong."""

    views = serializers.ListField(min_length=1, max_length=MAX_VIEWS)


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Which of the views: the first is 0.")
    reason = serializers.ChoiceField([one.value for one in Rejection])


class ReportedSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(help_text="How many are counted, or were before.")
    rejected = RejectedSerializer(many=True)


class ReportedView(NamedTuple):
    page: int
    id: UUID
    at: datetime

    @property
    def at_ms(self) -> int:
        return int(self.at.timestamp() * 1000)

    @property
    def key(self) -> bytes:
        return make_key(Life.WEEK, "view", self.page, self.id.hex)


class ReportedViews(Public, APIView):
    """Views of pages that were seen elsewhere, such as on a page that a CDN has answered.

    Each counts as a read of its page does, and may be sent again, however often. The body is JSON,
    which may be said to be plain text: `navigator.sendBeacon` does so.
    """

    parser_classes = (ShallowJSONParser, PlainTextJSONParser)
    throttle_classes = (ClientThrottle,)
    throttle_scope = "views"

    @extend_schema(
        operation_id="views_create",
        request=ReportSerializer,
        responses={202: ReportedSerializer, **errors(413)},
    )
    def post(self, request: Request) -> Response:
        if len(request._request.body) > MAX_BYTES:
            raise TooLarge
        report = UncheckedReportSerializer(data=request.data)
        report.is_valid(raise_exception=True)
        reported = report.validated_data["views"]
        views, rejected = parse_all(reported, timezone.now())
        missing = self.record(views.values())
        rejected |= {
            index: Rejection.NO_SUCH_PAGE for index, view in views.items() if view.page in missing
        }
        data = {
            "accepted": len(reported) - len(rejected),
            "rejected": [{"index": i, "reason": rejected[i].value} for i in sorted(rejected)],
        }
        return Response(ReportedSerializer(data).data, status.HTTP_202_ACCEPTED)

    def record(self, views: Iterable[ReportedView]) -> set[int]:
        """Record the views, each id of a page once; return the pages that do not exist."""
        left: dict[ReportedView, EventId | None] = {}
        for view in {(view.page, view.id): view for view in views}.values():
            found, unanswered_id = cached_pages.try_read_and_record(
                Page, view.page, self.request, key=view.key, at=view.at_ms
            )
            if not found:
                left[view] = unanswered_id
        asked = {view.page for view in left}
        pages = Page.objects.filter(pk__in=asked)
        missing = asked.difference(pages.values_list("pk", flat=True)) if asked else asked
        for view, unanswered_id in left.items():
            if view.page not in missing and not self.record_loaded(view, unanswered_id):
                missing.add(view.page)  # it was deleted meanwhile
        return missing

    def record_loaded(self, view: ReportedView, unanswered_id: EventId | None) -> bool:
        """Record the view of a page that is not cached, and cache it. False: there is no page."""
        context = {"request": self.request}
        try:
            cached_pages.serve_and_record(
                Page,
                view.page,
                load=lambda: load_page(view.page),
                respond=lambda loaded: PageDetailSerializer(loaded, context=context).data,
                template=make_template,
                unanswered_id=unanswered_id,
                request=self.request,
                key=view.key,
                at=view.at_ms,
            )
        except Http404:
            return False
        return True


def parse_all(
    reported: list[Any], now: datetime
) -> tuple[dict[int, ReportedView], dict[int, Rejection]]:
    """Return the views, and why others are rejected; both by their index."""
    views, rejected = {}, {}
    for index, one in enumerate(reported):
        try:
            views[index] = parse(one, now)
        except Rejected as error:
            rejected[index] = error.reason
    return views, rejected


def parse(one: Any, now: datetime) -> ReportedView:
    """Return a view. Raises Rejected."""
    if not isinstance(one, dict):
        raise Rejected(Rejection.INVALID)
    fields = ReportedViewSerializer(data=one)
    if not fields.is_valid():
        (wrong, *_others) = fields.errors
        raise Rejected(Rejection(f"invalid_{wrong}"))
    view = ReportedView(**{"at": now, **fields.validated_data})
    if view.at < now - MAX_AGE:
        raise Rejected(Rejection.TOO_OLD)
    if view.at > now + MAX_AHEAD:
        raise Rejected(Rejection.IN_THE_FUTURE)
    return view._replace(at=min(view.at, now))
