"""The API of files: upload, list, retrieve, delete."""

from django.conf import settings
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.generics import ListAPIView, RetrieveDestroyAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.openapi_responses import errors
from api.pagination import Pagination
from api.permissions import OwnerOrStaffDeletes
from api.throttling import ClientThrottle
from uploads.models import File
from uploads.web import idempotency, quotas
from uploads.web.create import create_file
from uploads.web.serializers import FileSerializer, UploadSerializer, UploadTermsSerializer
from uploads.web.upload_parser import FIELD, discard_body, receive_file


class LateCSRFAuthentication(SessionAuthentication):
    """Checks the CSRF token later: it is in the body, which is only read after the throttle."""

    def enforce_csrf(self, request: Request) -> None:
        """Do nothing yet."""

    def check_csrf(self, request: Request) -> None:
        super().enforce_csrf(request)


@extend_schema(auth=[{"tokenAuth": []}, {"cookieAuth": []}, {}])  # type: ignore[list-item]
class Upload(APIView):
    """Uploads one file. No account is needed; a signed-in user becomes its owner."""

    authentication_classes = (TokenAuthentication, LateCSRFAuthentication)
    permission_classes = (AllowAny,)
    parser_classes = (MultiPartParser,)
    throttle_scope = "upload"

    def get_throttles(self) -> list[BaseThrottle]:
        return [ClientThrottle()] if self.request.method == "POST" else []

    @extend_schema(
        operation_id="upload_terms",
        responses={200: UploadTermsSerializer, **errors(401, 503)},
    )
    def get(self, request: Request) -> Response:
        """Return the name of the field, the maximum size, and for how long files are kept."""
        terms = {
            "field": FIELD,
            "max_bytes": settings.UPLOADS_MAX_BYTES,
            "anonymous_days": settings.UPLOADS_ANONYMOUS_DAYS,
        }
        return Response(UploadTermsSerializer(terms).data)

    @extend_schema(
        operation_id="upload",
        parameters=[idempotency.PARAMETER],
        request={"multipart/form-data": UploadSerializer},
        responses={201: FileSerializer, **errors(400, 401, 403, 413, 415, 429, 503, 507)},
    )
    def post(self, request: Request) -> Response:
        """Upload the file. It is processed in the background; see its `status`."""
        file = self.create_file(request)
        return Response(
            FileSerializer(file, context={"request": request}).data,
            status=201,
            headers={"Location": reverse("file-detail", args=[file.pk], request=request)},
        )

    def create_file(self, request: Request) -> File:
        owner_id = request.user.pk  # before the body is read: a wrong token is rejected at once
        digest = idempotency.digest_of(request)
        if first := idempotency.find(digest):
            discard_body(request._request)
            return first
        sender = quotas.sender_of(request)
        quotas.check(sender, content_length(request))
        with receive_file(request._request) as received:
            if isinstance(request.successful_authenticator, LateCSRFAuthentication):
                request.successful_authenticator.check_csrf(request)
            return create_file(received, owner_id, sender, digest)


def content_length(request: Request) -> int:
    """Return the length of the body, a little more than the file's; 0 if it is not known yet.

    One that is too large is refused for that, and not for a quota.
    """
    text = request.META.get("CONTENT_LENGTH") or ""
    length = int(text) if text.isdecimal() and len(text) < 16 else 0
    return length if length <= settings.UPLOADS_MAX_BYTES else 0


@extend_schema_view(
    get=extend_schema(responses={200: FileSerializer(many=True), **errors(400, 401, 404, 503)})
)
class FileList(ListAPIView[File]):
    """The files, the newest first."""

    queryset = File.objects.all()
    permission_classes = (AllowAny,)
    serializer_class = FileSerializer
    pagination_class = Pagination
    filter_backends = (DjangoFilterBackend,)
    filterset_fields = ("status", "kind")


@extend_schema_view(
    get=extend_schema(responses={200: FileSerializer, **errors(401, 404, 503)}),
    delete=extend_schema(
        description="Delete the file and its thumbnail. Only for the owner and staff.",
        responses={204: None, **errors(401, 403, 404, 429, 503)},
    ),
)
class FileDetail(RetrieveDestroyAPIView[File]):
    """One file, with its status and metadata."""

    queryset = File.objects.all()
    permission_classes = (OwnerOrStaffDeletes,)
    serializer_class = FileSerializer
