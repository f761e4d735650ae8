"""The API of books."""

from typing import Any

from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticatedOrReadOnly

from api.locking import CHANGES
from api.openapi_responses import errors
from catalog.books.filters import BookFilter
from catalog.books.models import Book
from catalog.books.serializers import BookSerializer
from catalog.views import RecordingViewSet


class PreconditionFailed(APIException):
    status_code = 412
    default_detail = _("The book was changed meanwhile: read it again.")
    default_code = "precondition_failed"


ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 201],
    description="Changes with the book, but not with its counter.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="Change the book only if it still has this `ETag`, or one of these, or `*`.",
)
CHANGED = {200: BookSerializer, **errors(412)}


@extend_schema_view(
    create=extend_schema(parameters=[ETAG]),
    retrieve=extend_schema(parameters=[ETAG]),
    update=extend_schema(parameters=[ETAG, IF_MATCH], responses=CHANGED),
    partial_update=extend_schema(parameters=[ETAG, IF_MATCH], responses=CHANGED),
    destroy=extend_schema(parameters=[IF_MATCH], responses={204: None, **errors(412)}),
)
class BookViewSet(RecordingViewSet[Book]):
    """Anyone may read, authenticated users may write."""

    queryset = Book.objects.order_by("pk")
    serializer_class = BookSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    filterset_class = BookFilter

    def get_object(self) -> Book:
        book = super().get_object()
        if self.action in CHANGES:
            self.check_precondition(book)
        return book

    def check_precondition(self, book: Book) -> None:
        """Raise PreconditionFailed unless the book matches `If-Match`.

        Django's `get_conditional_response` ignores an `If-Match` without a valid ETag; here it
        fails, because the client wants to prevent a lost update.
        """
        expected = self.request.headers.get("If-Match")
        if expected is not None and not {"*", book.etag} & {*parse_etags(expected)}:
            raise PreconditionFailed

    def get_success_headers(self, data: Any) -> dict[str, str]:
        return {"ETag": Book(**data).etag}
