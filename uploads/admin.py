"""The operators' side of the files: what became of each, and what was given up."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from footfall.common.admin import ReadOnlyAdmin
from footfall.eventlog import LogError
from uploads.models import File
from uploads.processing import dead_letters
from uploads.queue import get_queue

SHOWN = 200  # dead letters on their page, the latest


@admin.register(File)
class FileAdmin(ReadOnlyAdmin):
    list_display = ("name", "badge", "kind", "bytes", "attempts", "uploaded_at", "owner")
    list_filter = ("status", "kind", "uploaded_at")
    list_select_related = ("owner",)
    search_fields = ("^name", "=sha256")
    search_help_text = _("The start of the name, or the SHA-256.")
    show_full_result_count = False
    date_hierarchy = "uploaded_at"
    actions = ("try_again",)
    fieldsets = (
        (None, {"fields": ("name", "content", "kind", "content_type", "bytes", "sha256")}),
        (None, {"fields": ("owner", "uploaded_at")}),
        (
            _("Processing"),
            {"fields": ("status", "processed_at", "error", "attempts", "metadata")},
        ),
        (
            _("Inside"),
            {
                "fields": ("due_at", "entry_id", "claim", "claimed_at", "stored", "picture"),
                "classes": ("collapse",),
            },
        ),
    )

    class Media:
        css = {"all": ["uploads/admin.css"]}

    @admin.display(description=_("status"), ordering="status")
    def badge(self, file: File) -> str:
        return format_html(
            '<span class="upload-status {}">{}</span><span class="upload-error">{}</span>',
            file.status,
            file.get_status_display(),
            Truncator(file.error).chars(80),
        )

    @admin.display(description=_("size"), ordering="size")
    def bytes(self, file: File) -> str:
        return filesizeformat(file.size)

    @admin.display(description=_("content"))
    def content(self, file: File) -> str:
        address = reverse("file-content", args=[file.pk])
        return format_html('<a href="{}">{}</a>', address, _("open or download"))

    @admin.display(description=_("stored as"))
    def stored(self, file: File) -> str:
        return str(file.file)

    @admin.display(description=_("thumbnail"))
    def picture(self, file: File) -> str:
        return str(file.thumbnail)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.dead_letters)
        return [path("dead/", view, name="uploads_file_dead"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "dead": dead_count()})

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("uploads.change_file")

    @admin.action(permissions=["retry"], description=_("Try the selected failed files again"))
    def try_again(self, request: HttpRequest, queryset: QuerySet[File]) -> None:
        try:
            count = dead_letters.try_again(queryset)
        except LogError:
            text = _("The files are tried again; their dead letters stay: Redis does not answer.")
            self.message_user(request, text, messages.WARNING)
        else:
            self.message_user(request, tried(count), messages.SUCCESS)

    def dead_letters(self, request: HttpRequest) -> HttpResponse:
        """Show the latest dead letters; a POST decides about those that are chosen."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            if request.method == "POST":
                return self.decide(request)
            letters, error = dead_letters.letters(SHOWN), ""
        except LogError as away:
            letters, error = [], str(away)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Dead letters"),
            "opts": self.opts,
            "letters": letters,
            "error": error,
            "count": dead_count(),
            "may_decide": self.has_retry_permission(request),
        }
        return TemplateResponse(request, "admin/uploads/file/dead.html", context)

    def decide(self, request: HttpRequest) -> HttpResponse:
        if not self.has_retry_permission(request):
            raise PermissionDenied
        chosen = request.POST.getlist("letter")
        if "dismiss" in request.POST:
            count = dead_letters.dismiss(chosen)
            text = ngettext("%d letter was dismissed.", "%d letters were dismissed.", count)
            self.message_user(request, text % count, messages.SUCCESS)
        else:
            count = dead_letters.try_letters_again(chosen)
            self.message_user(request, tried(count), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:uploads_file_dead"))


def tried(count: int) -> str:
    return ngettext("%d file is tried again.", "%d files are tried again.", count) % count


def dead_count() -> int | None:
    """Return the number of dead letters; None while Redis does not answer."""
    try:
        return get_queue().dead_count()
    except LogError:
        return None
