"""The API of pages. It is public and does not look at tokens, which would cost a query."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django_filters import CharFilter, FilterSet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api import idempotency
from api.openapi_responses import INVALID, errors
from api.permissions import Public, StaffViews
from catalog.pages import export, serializers
from catalog.pages.json_template import fill_template, make_template
from catalog.pages.models import Content, Page
from catalog.pages.pagination import PagePagination
from catalog.pages.queries import LoadedPage, load_page
from footfall.cache import cached_pages
from footfall.events.keys import Life, make_key
from footfall.ops.status import status
from footfall.projections.ranking import Window, top
from footfall.projections.series import Interval, days_of, series
from footfall.projections.visitors.distinct import visitors_in
from footfall.registry import counted_as

JSON, CSV = "application/json", "text/csv"
HEADERS = {"Cache-Control": "no-store"}
UNANSWERED_ID = (
    "footfall.unanswered_id"  # in the environ: the event id of an append without an answer
)


SEARCH = {
    "type": "string",
    "default": "",
    "description": "Only pages whose title starts with this, in upper or lower case.",
}


class PageFilter(FilterSet):  # type: ignore[misc]
    search = extend_schema_field(SEARCH)(CharFilter("title", "istartswith"))


@extend_schema_view(
    get=extend_schema(responses={200: serializers.PageSerializer(many=True), 400: INVALID})
)
class PageList(Public, ListAPIView[Page]):
    """The pages, without their contents. Reading it counts nothing."""

    queryset = Page.objects.order_by("pk")
    serializer_class = serializers.PageSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = PageFilter
    pagination_class = PagePagination


class PageDetail(Public, APIView):
    """A page with its contents. Reading it counts one view of the page and of each content."""

    @extend_schema(
        operation_id="pages_retrieve",
        parameters=[
            idempotency.parameter(
                "With it, a read that is repeated within 24 hours, by the same client, counts once."
            )
        ],
        responses={200: serializers.PageDetailSerializer, 400: INVALID},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        url = request.build_absolute_uri(request.path)
        found = cached_pages.serve_and_record(
            Page,
            pk,
            load=lambda: load_page(pk),
            respond=self.respond,
            template=lambda response: make_template(response.data),
            use_cached=accepts_json(request.META),
            unanswered_id=request.META.get(UNANSWERED_ID),
            request=request,
            key=key_of(request.META, pk),
        )
        if isinstance(found, Response):
            return found
        return HttpResponse(fill_template(found[0], url, found[1:]), JSON, headers=HEADERS)

    def head(self, request: Request, pk: int) -> Response:
        """Respond without counting. Without this method Django would call `get`."""
        return self.respond(load_page(pk))

    def respond(self, loaded: LoadedPage) -> Response:
        serializer = serializers.PageDetailSerializer(loaded, context={"request": self.request})
        return Response(serializer.data, headers=HEADERS)


def accepts_json(environ: Mapping[str, Any]) -> bool:
    """Return whether the response is plain JSON for certain; if not, DRF decides on the format.

    A browser gets the browsable API.
    """
    accepted = environ.get("HTTP_ACCEPT", "*/*")
    plain = "*/*" in accepted or JSON in accepted
    special = "html" in accepted or "indent" in accepted
    return plain and not special and "format=" not in environ.get("QUERY_STRING", "")


def key_of(environ: Mapping[str, Any], pk: int) -> bytes:
    """Return the key of a read of a page; b"" if it has none. Raises idempotency.InvalidKey."""
    given = environ.get(idempotency.HEADER)
    if given is None:
        return b""
    if not idempotency.is_valid(given):
        raise idempotency.InvalidKey
    return make_key(Life.DAY, "page", pk, given, *idempotency.client_of(environ))


class ContentViews(Public, APIView):
    """The views of a content over time, and how fresh they are. Reading them counts nothing."""

    @extend_schema(
        operation_id="contents_views",
        parameters=[serializers.ViewsQuerySerializer],
        responses={200: serializers.ContentViewsSerializer, 400: INVALID},
    )
    def get(self, request: Request, pk: int) -> Response:
        query = serializers.ViewsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        now = status()  # before the counter, which then has all views up to `as_of`
        try:
            content = Content.objects.get(pk=pk)
        except Content.DoesNotExist:
            raise Http404(_("There is no content %s.") % pk) from None
        label = counted_as(Content)
        chosen = query.validated_data
        by_agent = chosen.pop("by", None) == query.BY_AGENT
        data = {
            "total": content.counter,
            "as_of": now.as_of_in(label),
            "pending": now.pending_in(label),
            "series": series(content, **chosen),
            "series_as_of": now.series_as_of_in(label),
        }
        context = {"by_agent": by_agent, "by_day": chosen["interval"] is Interval.DAY}
        if context["by_day"]:
            days = days_of(chosen["since"], chosen["until"])
            data["visitors"] = visitors_in(Content, [pk], *days)[pk]
            data["visitors_as_of"] = now.visitors_as_of_in(label)
        return Response(serializers.ContentViewsSerializer(data, context=context).data)


class ContentTop(Public, APIView):
    """The most viewed contents, computed every few seconds or minutes."""

    @extend_schema(
        operation_id="contents_top",
        parameters=[serializers.TopQuerySerializer],
        responses={200: serializers.TopSerializer, 400: INVALID},
    )
    def get(self, request: Request) -> Response:
        query = serializers.TopQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        window = Window(query.validated_data["window"])
        found = top(Content)[window]
        chosen = found.ranked[: query.validated_data["limit"]]
        contents = Content.objects.select_subclasses().in_bulk([one.id for one in chosen])
        results = [
            {"content": contents[one.id], "ranked": one} for one in chosen if one.id in contents
        ]
        data = {"window": window.value, "as_of": found.as_of, "results": results}
        return Response(serializers.TopSerializer(data).data)


class ContentExport(APIView):
    """The views of all contents by day, as CSV. Only for staff who may view contents."""

    queryset = Content.objects.all()
    permission_classes = (StaffViews,)

    @extend_schema(
        operation_id="contents_export",
        parameters=[serializers.RangeQuerySerializer],
        responses={(200, CSV): OpenApiTypes.STR, 400: INVALID, **errors(403)},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        query = serializers.RangeQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        since, until = query.validated_data["since"], query.validated_data["until"]
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="views.csv"',
        }
        return StreamingHttpResponse(
            export.lines(since, until), content_type=f"{CSV}; charset=utf-8", headers=headers
        )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Whatever is accepted: only errors are rendered, as JSON."""
        return JSONRenderer(), JSON
