"""The operators' side of the counting: what was set aside, and how it goes."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from counters.models import Adjustment, Batch, Partition, SetAside
from counters.spill import replay

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the service writes and people only look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Partition)
class PartitionAdmin(ReadOnlyAdmin):
    list_display = ("number", "position", "events", "flushed_events", "flushed_at")


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("at", "events", "views", "targets", "drained", "seconds", "dropped")
    date_hierarchy = "at"
    show_full_result_count = False


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    list_display = ("at", "content_type", "target_id", "amount", "by", "reason")
    list_select_related = ("content_type", "by")


@admin.register(SetAside)
class SetAsideAdmin(ReadOnlyAdmin):
    """Events that could not be counted; deleting one dismisses it for good."""

    list_display = ("set_aside_at", "reason", "partition", "text")
    list_filter = ("set_aside_at",)
    search_fields = ("reason",)
    fields = ("set_aside_at", "reason", "partition", "at", "entry_id", "text")
    actions = ("replay",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    @admin.display(description=_("body"))
    def text(self, event: SetAside) -> str:
        return bytes(event.body)[:2000].decode(errors="backslashreplace")

    @admin.action(
        permissions=["delete"], description=_("Replay: try to count the selected events again")
    )
    def replay(self, request: HttpRequest, queryset: QuerySet[SetAside]) -> None:
        count = replay(queryset)
        text = ngettext(
            "%d event goes to the next flush.", "%d events go to the next flush.", count
        )
        self.message_user(request, text % count, messages.SUCCESS)
