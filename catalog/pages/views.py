"""The API of pages. It is public and looks nobody up: a read costs the queries of the page."""

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api import answers
from api.pagination import Pagination
from catalog.pages.models import Content, Page
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
from counters.history import series
from counters.ranking import Window, top
from counters.record import record
from counters.status import status


class PageList(ListAPIView[Page]):
    """The pages, without their contents. Reading it counts nothing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PageSerializer
    pagination_class = Pagination

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
            400: answers.INVALID,
            404: answers.NOT_FOUND,
            503: answers.UNAVAILABLE,
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
        responses={
            200: PageDetailSerializer,
            404: answers.NOT_FOUND,
            503: answers.UNAVAILABLE,
        },
    )
    def get(self, request: Request, pk: int) -> Response:
        payload = load(pk)
        response = self.respond(payload)
        record(payload.page, payload.contents)  # last: what was not answered was not viewed
        return response

    def head(self, request: Request, pk: int) -> Response:
        """Answer without counting. Were it missing, Django would call `get`."""
        return self.respond(load(pk))

    def respond(self, payload: Payload) -> Response:
        serializer = PageDetailSerializer(payload, context={"request": self.request})
        return Response(serializer.data, headers={"Cache-Control": "no-store"})


class ContentViews(APIView):
    """The views of one content over time, and how fresh they are. Reading them counts nothing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="contents_views",
        parameters=[ViewsQuerySerializer],
        responses={
            200: ContentViewsSerializer,
            400: answers.INVALID,
            404: answers.NOT_FOUND,
            503: answers.UNAVAILABLE,
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
        responses={200: TopSerializer, 400: answers.INVALID, 503: answers.UNAVAILABLE},
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
