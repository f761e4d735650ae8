"""The API of pages. It is public and looks nobody up: a read costs the queries of the page."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.openapi_responses import INVALID, errors
from catalog.pages.models import Content, Page
from catalog.pages.pagination import LongPagination
from catalog.pages.payload import Payload, load
from catalog.pages.serializers import (
    ContentViewsSerializer,
    PageDetailSerializer,
    PageSearchSerializer,
    PageSerializer,
    TopQuerySerializer,
    TopSerializer,
    ViewsQuerySerializer,
)
from catalog.pages.template import fill_in, template_of
from footfall.cache import cached_pages
from footfall.eventlog import Ambiguous, Refused
from footfall.ops.status import status
from footfall.projections.ranking import Window, top
from footfall.projections.series import series
from footfall.record import record

JSON = "application/json"
HEADERS = {"Cache-Control": "no-store"}
SENT_AS = "footfall.sent_as"  # in the environ: the number of an append that got no answer


class PageList(ListAPIView[Page]):
    """The pages, without their contents. Reading it counts nothing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PageSerializer
    pagination_class = LongPagination

    def get_queryset(self) -> QuerySet[Page]:
        query = PageSearchSerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        pages = Page.objects.order_by("pk")
        if start := query.validated_data["search"]:
            pages = pages.filter(title__istartswith=start)
        return pages

    @extend_schema(
        parameters=[PageSearchSerializer],
        responses={
            200: PageSerializer(many=True),
            400: INVALID,
            **errors(404, 503),
        },
    )
    def get(self, request: Request) -> Response:
        return self.list(request)


class PageDetail(APIView):
    """A page with its contents. Reading it is a view of the page and of every content on it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="pages_retrieve",
        responses={200: PageDetailSerializer, **errors(404, 503)},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Answer a page that was not prepared, and prepare it for whoever comes next."""
        lease = None
        if SENT_AS not in request.META:
            lease = cached_pages.lease(Page, pk)
            url = request.build_absolute_uri(request.path)
            if lease is None and (body := read_cached(request.META, pk, url)):
                return HttpResponse(body, JSON, headers=HEADERS)
        try:
            payload = load(pk)
        except Exception:
            if lease:
                cached_pages.release(lease)
            raise
        response = self.respond(payload)
        if lease:
            template = template_of(response.data)
            cached_pages.prepare(lease, payload.page, payload.contents, template, payload.contents)
        # Last: what was not answered was not viewed.
        record(payload.page, payload.contents, request.META.get(SENT_AS))
        return response

    def head(self, request: Request, pk: int) -> Response:
        """Answer without counting. Were it missing, Django would call `get`."""
        return self.respond(load(pk))

    def respond(self, payload: Payload) -> Response:
        serializer = PageDetailSerializer(payload, context={"request": self.request})
        return Response(serializer.data, headers=HEADERS)


def read_cached(environ: MutableMapping[str, Any], pk: int, url: str) -> bytes | None:
    """Return a page that is prepared, as JSON, and record the view of it: one call of Redis.

    environ: of the request, as WSGI has it. url: the page's, as it stands in the answer.
    None: another form is asked for, it is not prepared, or Redis did not answer; then its view is
    not recorded, or noted in `environ` as sent.
    """
    if not takes_json(environ):
        return None
    try:
        found = cached_pages.view(Page, pk)
    except Refused:
        return None
    except Ambiguous as error:
        environ[SENT_AS] = error.number
        return None
    if found is None:
        return None
    template, *counters = found
    return fill_in(template, url, counters)


def takes_json(environ: Mapping[str, Any]) -> bool:
    """Tell whether the answer is plain JSON beyond doubt. Whoever asks for more is asked by DRF."""
    accepted = environ.get("HTTP_ACCEPT", "*/*")
    plain = ("*/*" in accepted or JSON in accepted) and "indent" not in accepted
    return plain and "format=" not in environ.get("QUERY_STRING", "")


class ContentViews(APIView):
    """The views of one content over time, and how fresh they are. Reading them counts nothing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="contents_views",
        parameters=[ViewsQuerySerializer],
        responses={
            200: ContentViewsSerializer,
            400: INVALID,
            **errors(404, 503),
        },
    )
    def get(self, request: Request, pk: int) -> Response:
        query = ViewsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        now = status()  # before the counter is read: what was counted by then is in it
        try:
            content = Content.objects.get(pk=pk)
        except Content.DoesNotExist:
            raise Http404(_("There is no content %s.") % pk) from None
        answer = {
            "total": content.counter,
            "as_of": now.as_of,
            "pending": now.pending,
            "series": series(content, **query.validated_data),
        }
        return Response(ContentViewsSerializer(answer).data)


class ContentTop(APIView):
    """The most viewed contents, as they were computed within the last seconds or minutes."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="contents_top",
        parameters=[TopQuerySerializer],
        responses={200: TopSerializer, 400: INVALID, **errors(503)},
    )
    def get(self, request: Request) -> Response:
        query = TopQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        window = Window(query.validated_data["window"])
        found = top(Content)[window]
        chosen = found.ranked[: query.validated_data["limit"]]
        contents = Content.objects.select_subclasses().in_bulk([one.id for one in chosen])
        results = [
            {"content": contents[one.id], "ranked": one} for one in chosen if one.id in contents
        ]
        answer = {"window": window.value, "as_of": found.as_of, "results": results}
        return Response(TopSerializer(answer).data)
