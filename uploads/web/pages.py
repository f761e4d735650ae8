"""Pages of files: what browsers get at addresses where API clients get JSON."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from rest_framework.generics import DestroyAPIView
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.pagination import Pagination
from api.permissions import OwnerOrStaffDeletes, may_delete
from footfall.common.admin_urls import key_in
from uploads.detection.media_type import SAFE_TO_SHOW
from uploads.models import File, Kind, Status
from uploads.web.views import FileDetail, FileList, Upload

MAX_POLLED = 200  # files in one request


class PageRenderer(TemplateHTMLRenderer):
    exception_template_names = ["uploads/error.html"]

    def get_template_context(self, data: Any, renderer_context: Mapping[str, Any]) -> Any:
        response, kwargs = renderer_context["response"], renderer_context["kwargs"]
        if response.status_code == HTTPStatus.NOT_FOUND and "pk" in kwargs:
            return {"errors": [_("There is no such file. It may have been deleted.")]}
        if response.exception:
            return {"errors": flatten(data)}
        return data


class UploadPage(Upload):
    renderer_classes = (JSONRenderer, PageRenderer)
    schema = None  # the schema lists the addresses of the API
    template_name = "uploads/upload.html"

    def get(self, request: Request) -> Response:
        if not wants_page(request):
            return super().get(request)
        days = 0 if request.user.is_authenticated else settings.UPLOADS_ANONYMOUS_DAYS
        return Response({"max_bytes": settings.UPLOADS_MAX_BYTES, "anonymous_days": days})

    def post(self, request: Request) -> HttpResponseBase:  # type: ignore[override]
        if not wants_page(request):
            return super().post(request)
        file = self.create_file(request)
        messages.success(request._request, _("%s was uploaded and will be processed.") % file.name)
        return see_other("files-page")


class FilesPage(FileList):
    renderer_classes = (JSONRenderer, PageRenderer)
    schema = None
    template_name = "uploads/files.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if not wants_page(request):
            return super().get(request)
        pages = Pagination()
        files = pages.paginate_queryset(self.filter_queryset(self.get_queryset()), request, self)
        return Response(
            {
                "files": with_display_fields(files or [], request),
                "page": pages.page,
                "previous": pages.get_previous_link(),
                "next": pages.get_next_link(),
                "kinds": Kind.choices,
                "statuses": Status.choices,
                "filters": request.query_params,
            }
        )


class FilePage(FileDetail):
    renderer_classes = (JSONRenderer, PageRenderer)
    schema = None
    template_name = "uploads/file.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if not wants_page(request):
            return super().get(request)
        (file,) = with_display_fields([self.get_object()], request)
        can_play = file.status == Status.PROCESSED and file.content_type in SAFE_TO_SHOW
        metadata = sorted(file.metadata.items())
        return Response(
            {
                "file": file,
                "pending": file.status in (Status.RECEIVED, Status.PROCESSING),
                "player": file.kind if can_play else "",
                "metadata": [(name.replace("_", " "), as_text(value)) for name, value in metadata],
            }
        )


class DeleteFile(DestroyAPIView[File]):
    """Deletes a file from a form, which cannot send DELETE."""

    renderer_classes = (PageRenderer,)
    permission_classes = (OwnerOrStaffDeletes,)
    queryset = File.objects.all()
    http_method_names = ["post"]
    schema = None

    def post(self, request: Request, pk: int) -> HttpResponseBase:
        file = self.get_object()
        file.delete()
        message = _("%s was deleted.") % file.name
        if request._request.htmx:  # type: ignore[attr-defined]  # of django-htmx
            return render(request._request, "uploads/deleted.html", {"message": message})
        messages.success(request._request, message)
        return see_other("files-page")


@require_GET
def changed_rows(request: HttpRequest) -> HttpResponse:
    """Return the rows of files that differ from `?pending=<id>:<state>`."""
    known: dict[int, str] = {}
    for pending in request.GET.getlist("pending")[:MAX_POLLED]:
        text, _colon, state = pending.partition(":")
        if (pk := key_in(text)) is not None:
            known[pk] = state
    files = with_display_fields(File.objects.filter(pk__in=known), request)
    changed = [file for file in files if known[file.pk] != file.state]
    deleted = known.keys() - {file.pk for file in files}
    context = {"files": changed, "deleted": deleted}
    return render(request, "uploads/rows.html", context)


def with_display_fields(files: Iterable[Any], request: Request | HttpRequest) -> list[Any]:
    """Return the files, each with what its row needs.

    `can_delete`; `label`, which stands in for a thumbnail; `state`: its status, or "waiting".
    """
    found = list(files)
    for file in found:
        is_waiting = file.status == Status.RECEIVED and file.error
        file.state = "waiting" if is_waiting else file.status
        file.can_delete = may_delete(request, file)
        suffix = PurePath(file.name).suffix[1:]
        file.label = suffix.upper() if 0 < len(suffix) <= 4 else file.get_kind_display()
    return found


def as_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {as_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(as_text, value))
    if isinstance(value, bool) or value is None:
        return {True: _("yes"), False: _("no"), None: "-"}[value]
    return str(value)


def wants_page(request: Request) -> bool:
    return request.accepted_renderer.format == "html"


def see_other(name: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(name), status=303)


def flatten(errors: Any) -> list[str]:
    """Return the messages in an error response of the API, whatever its shape."""
    if isinstance(errors, Mapping):
        errors = list(errors.values())
    if isinstance(errors, list):
        return [message for one in errors for message in flatten(one)]
    return [str(errors)]
