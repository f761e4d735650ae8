"""The admin of files, with their dead letters."""

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

MAX_SHOWN = 200  # dead letters on their page


@admin.register(File)
class FileAdmin(ReadOnlyAdmin):
    list_display = ("name", "badge", "kind", "bytes", "attempts", "uploaded_at", "owner")
    list_filter = ("status", "kind", "uploaded_at")
    list_select_related = ("owner",)
    search_fields = ("^name", "=sha256")
    search_help_text = _("Search by the start of the name or by the SHA-256.")
    show_full_result_count = False
    date_hierarchy = "uploaded_at"
    actions = ("retry",)
    fieldsets = (
        (None, {"fields": ("name", "content", "kind", "content_type", "bytes", "sha256")}),
        (None, {"fields": ("owner", "uploaded_at")}),
        (
            _("Processing"),
            {"fields": ("status", "processed_at", "error", "attempts", "metadata")},
        ),
        (
            _("Advanced"),
            {
                "fields": (
                    *("outages", "dead_reason", "due_at", "is_slow", "claim", "claimed_at"),
                    *("sender", "epoch"),
                    *("storage_path", "thumbnail_path"),
                ),
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

    @admin.display(description=_("storage path"))
    def storage_path(self, file: File) -> str:
        return str(file.file)

    @admin.display(description=_("thumbnail"))
    def thumbnail_path(self, file: File) -> str:
        return str(file.thumbnail)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.dead_letters_view)
        return [path("dead/", view, name="uploads_file_dead_letters"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {**(extra_context or {}), "dead_letter_count": count_dead_letters()}
        return super().changelist_view(request, context)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("uploads.change_file")

    @admin.action(permissions=["retry"], description=_("Retry selected failed files"))
    def retry(self, request: HttpRequest, queryset: QuerySet[File]) -> None:
        try:
            count = dead_letters.retry_files(queryset)
        except LogError:
            text = _("The files will be processed again. Their dead letters stay: Redis is away.")
            self.message_user(request, text, messages.WARNING)
        else:
            self.message_user(request, retry_message(count), messages.SUCCESS)

    def dead_letters_view(self, request: HttpRequest) -> HttpResponse:
        """Show the latest dead letters; a POST retries or dismisses the selected ones."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            if request.method == "POST":
                return self.retry_or_dismiss(request)
            entries, error = dead_letters.of_entries(MAX_SHOWN), ""
        except LogError as away:
            entries, error = [], str(away)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Dead letters"),
            "opts": self.opts,
            "dead_letters": [*dead_letters.of_files(MAX_SHOWN), *entries],
            "error": error,
            "count": count_dead_letters(),
            "can_retry": self.has_retry_permission(request),
        }
        return TemplateResponse(request, "admin/uploads/file/dead_letters.html", context)

    def retry_or_dismiss(self, request: HttpRequest) -> HttpResponse:
        if not self.has_retry_permission(request):
            raise PermissionDenied
        ids = request.POST.getlist("letter")
        if "dismiss" in request.POST:
            count = dead_letters.dismiss(ids)
            text = ngettext(
                "%d dead letter was dismissed.", "%d dead letters were dismissed.", count
            )
            self.message_user(request, text % count, messages.SUCCESS)
        else:
            self.message_user(request, retry_message(dead_letters.retry(ids)), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:uploads_file_dead_letters"))


def retry_message(count: int) -> str:
    text = ngettext("%d file will be processed again.", "%d files will be processed again.", count)
    return text % count


def count_dead_letters() -> int | None:
    """Return the number of dead letters; None if Redis is away."""
    try:
        return dead_letters.count()
    except LogError:
        return None
