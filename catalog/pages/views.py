"""The API of pages. It is public and looks nobody up: a read costs the queries of the page."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import answers
from catalog.pages.models import Page
from catalog.pages.payload import Payload, load
from catalog.pages.serializers import (
    PageDetailSerializer,
    PageSearchSerializer,
    PageSerializer,
)
from catalog.pagination import Pagination
from counters.record import record


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
