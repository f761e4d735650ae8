"""The same for people: what a browser gets at the addresses where an API client gets JSON."""

from collections.abc import Iterable, Mapping
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
from uploads.detection.content_type import SAFE_TO_SHOW
from uploads.models import File, Kind, Status
from uploads.web.views import FileDetail, FileList, Upload

MOST_ROWS = 200
"""So many files are looked after at once."""


class HTML(TemplateHTMLRenderer):
    exception_template_names = ["uploads/problem.html"]

    def get_template_context(self, data: Any, renderer_context: Mapping[str, Any]) -> Any:
        if renderer_context["response"].exception:
            return {"problems": sentences(data)}
        return data


class UploadPage(Upload):
    renderer_classes = (JSONRenderer, HTML)
    schema = None  # described where the API is
    template_name = "uploads/upload.html"

    def get(self, request: Request) -> Response:
        if not is_person(request):
            return super().get(request)
        return Response({"max_bytes": settings.UPLOADS_MAX_BYTES})

    def post(self, request: Request) -> HttpResponseBase:  # type: ignore[override]
        if not is_person(request):
            return super().post(request)
        file = self.take(request)
        messages.success(request._request, _("%s is here, and will be processed.") % file.name)
        return see_other("files-page")


class FilesPage(FileList):
    renderer_classes = (JSONRenderer, HTML)
    schema = None
    template_name = "uploads/files.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if not is_person(request):
            return super().get(request)
        pages = Pagination()
        files = pages.paginate_queryset(self.filter_queryset(self.get_queryset()), request, self)
        return Response(
            {
                "files": dress(files or [], request),
                "page": pages.page,
                "previous": pages.get_previous_link(),
                "next": pages.get_next_link(),
                "kinds": Kind.choices,
                "statuses": Status.choices,
                "chosen": request.query_params,
            }
        )


class FilePage(FileDetail):
    renderer_classes = (JSONRenderer, HTML)
    schema = None
    template_name = "uploads/file.html"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if not is_person(request):
            return super().get(request)
        (file,) = dress([self.get_object()], request)
        shown = file.status == Status.PROCESSED and file.content_type in SAFE_TO_SHOW
        return Response(
            {
                "file": file,
                "pending": file.status in (Status.RECEIVED, Status.PROCESSING),
                "show": file.kind if shown else "",
                "metadata": [
                    (name.replace("_", " "), told(it)) for name, it in sorted(file.metadata.items())
                ],
            }
        )


class Removal(DestroyAPIView[File]):
    """The button that deletes a file."""

    renderer_classes = (HTML,)
    permission_classes = (OwnerOrStaffDeletes,)
    queryset = File.objects.all()
    http_method_names = ["post"]
    schema = None

    def post(self, request: Request, pk: int) -> HttpResponseBase:
        file = self.get_object()
        file.delete()
        news = _("%s is deleted.") % file.name
        if request._request.htmx:  # type: ignore[attr-defined]  # of django-htmx
            return render(request._request, "uploads/news.html", {"news": [news]})
        messages.success(request._request, news)
        return see_other("files-page")


@require_GET
def rows(request: HttpRequest) -> HttpResponse:
    """Answer with the rows of those files whose status is not what the page shows any more."""
    shown: dict[int, str] = {}
    for pending in request.GET.getlist("pending")[:MOST_ROWS]:
        text, _colon, status = pending.partition(":")
        if (pk := key_in(text)) is not None:
            shown[pk] = status
    files = list(File.objects.filter(pk__in=shown))
    changed = dress((file for file in files if shown[file.pk] != file.status), request)
    gone = shown.keys() - {file.pk for file in files}
    return render(request, "uploads/rows.html", {"files": changed, "gone": gone})


def dress(files: Iterable[File], request: Request | HttpRequest) -> list[Any]:
    """Return `files`, each with what its row shows beside its fields.

    `deletable`: whether who asks may delete it. `label`: what stands in place of a picture.
    """
    found: list[Any] = list(files)
    for file in found:
        file.deletable = may_delete(request, file)
        suffix = PurePath(file.name).suffix[1:]
        file.label = suffix.upper() if 0 < len(suffix) <= 4 else file.get_kind_display()
    return found


def told(value: Any) -> str:
    """Return a value of the metadata as people write it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {told(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(told, value))
    if isinstance(value, bool) or value is None:
        return {True: _("yes"), False: _("no"), None: "-"}[value]
    return str(value)


def is_person(request: Request) -> bool:
    return request.accepted_renderer.format == "html"


def see_other(name: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(name), status=303)


def sentences(problems: Any) -> list[str]:
    """Return what is wrong, in words, whatever the shape of the API's answer."""
    if isinstance(problems, Mapping):
        return [sentence for value in problems.values() for sentence in sentences(value)]
    if isinstance(problems, list):
        return [sentence for value in problems for sentence in sentences(value)]
    return [str(problems)]
