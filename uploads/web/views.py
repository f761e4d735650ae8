"""The API of files: send, list, look at, delete."""

from typing import Any

from django.conf import settings
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.generics import DestroyAPIView, ListAPIView, RetrieveAPIView
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
from uploads.web.create import take
from uploads.web.serializers import FileSerializer, TermsSerializer, UploadSerializer
from uploads.web.upload_parser import FIELD, receive


class LateSession(SessionAuthentication):
    """A session whose CSRF token is in the body, which is read after the throttle has agreed."""

    def enforce_csrf(self, request: Request) -> None:
        """Not yet."""

    def check(self, request: Request) -> None:
        super().enforce_csrf(request)


@extend_schema(auth=[{"tokenAuth": []}, {"cookieAuth": []}, {}])  # type: ignore[list-item]
class Upload(APIView):
    """Takes one file. It needs no account; a user who is signed in owns it."""

    authentication_classes = (TokenAuthentication, LateSession)
    permission_classes = (AllowAny,)
    parser_classes = (MultiPartParser,)
    throttle_scope = "upload"

    def get_throttles(self) -> list[BaseThrottle]:
        return [ClientThrottle()] if self.request.method == "POST" else []

    @extend_schema(
        operation_id="upload_terms",
        responses={200: TermsSerializer, **errors(401, 503)},
    )
    def get(self, request: Request) -> Response:
        """Tell how to upload."""
        terms = {"field": FIELD, "max_bytes": settings.UPLOADS_MAX_BYTES}
        return Response(TermsSerializer(terms).data)

    @extend_schema(
        operation_id="upload",
        request={"multipart/form-data": UploadSerializer},
        responses={
            201: FileSerializer,
            **errors(400, 401, 403, 413, 415, 429, 503),
        },
    )
    def post(self, request: Request) -> Response:
        """Take the file. It will be processed in the background: look at its `status`."""
        file = self.take(request)
        return Response(
            FileSerializer(file, context={"request": request}).data,
            status=201,
            headers={"Location": reverse("file-detail", args=[file.pk], request=request)},
        )

    def take(self, request: Request) -> File:
        owner = request.user.pk  # asked before the body is read: a wrong token is refused at once
        with receive(request._request) as received:
            if isinstance(request.successful_authenticator, LateSession):
                request.successful_authenticator.check(request)
            return take(received, owner)


class FileList(ListAPIView[File]):
    """The files, the latest first."""

    queryset = File.objects.all()
    permission_classes = (AllowAny,)
    serializer_class = FileSerializer
    pagination_class = Pagination
    filter_backends = (DjangoFilterBackend,)
    filterset_fields = ("status", "kind")

    @extend_schema(responses={200: FileSerializer(many=True), **errors(400, 401, 404, 503)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class FileDetail(RetrieveAPIView[File], DestroyAPIView[File]):
    """One file, and what has become of it."""

    queryset = File.objects.all()
    permission_classes = (OwnerOrStaffDeletes,)
    serializer_class = FileSerializer

    @extend_schema(responses={200: FileSerializer, **errors(401, 404, 503)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(responses={204: None, **errors(401, 403, 404, 429, 503)})
    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete it, and what was made of it. Only the owner and staff may."""
        return super().delete(request, *args, **kwargs)
