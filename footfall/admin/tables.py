"""The tables of the counting, which can be read but not edited."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from footfall.common.admin import ReadOnlyAdmin
from footfall.ingest.spill import replay
from footfall.models import (
    Adjustment,
    Agent,
    Audit,
    Correction,
    DeadLetter,
    Kind,
    Partition,
    Projection,
    Reclassification,
    Segment,
)
from footfall.reclassify.past import described

SHOWN_AGENTS = 100


@admin.register(Audit)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("requested_at", "requested_by", "finished_at", "differences", "broken", "error")
    list_select_related = ("requested_by",)
    ordering = ("-pk",)


@admin.register(Partition)
class PartitionAdmin(ReadOnlyAdmin):
    list_display = ("number", "position", "events", "flushed_events", "flushed_at")


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    """Segments without their data, which may be 4 MB each."""

    list_display = ("number", "events", "stored_at", "seconds", "drained", "corrupt_at")
    fields = (
        *list_display, "first", "from_time", "to_time", "partitions", "version", "checksum", "key",
    )  # fmt: skip
    ordering = ("-number",)
    date_hierarchy = "stored_at"
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).defer("data")

    @admin.display(description=_("first event"))
    def from_time(self, segment: Segment) -> datetime:
        return at(segment.first_at)

    @admin.display(description=_("last event"))
    def to_time(self, segment: Segment) -> datetime:
        return at(segment.last_at)


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@admin.register(Projection)
class ProjectionAdmin(ReadOnlyAdmin):
    list_display = ("name", "number", "events", "moved_at", "dropped", "failed_at", "error")
    ordering = ("name",)


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    list_display = ("at", "content_type", "target_id", "amount", "by", "reason")
    list_select_related = ("content_type", "by")


class ReplayedFilter(admin.SimpleListFilter):
    """Shows the letters that wait, unless others are asked for."""

    title = _("replayed")
    parameter_name = "replayed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", gettext("no")), ("yes", gettext("yes")), ("all", gettext("all"))]

    def value(self) -> str:
        return super().value() or "no"

    def choices(self, changelist: Any) -> Any:
        return list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(replayed_at__isnull=self.value() == "no")


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "label", "target_id", "before", "after", "text", "audit")
    list_filter = ("kind", "label")
    list_select_related = ("audit",)
    ordering = ("-pk",)


@admin.register(Reclassification)
class ReclassificationAdmin(ReadOnlyAdmin):
    """What was said anew about agents, and which views have another kind since then."""

    list_display = ("started_at", "since", "agents", "moved", "finished_at")
    fields = (*list_display, "which")
    ordering = ("-pk",)

    @admin.display(description=_("views"))
    def moved(self, row: Reclassification) -> str:
        sums: Counter[str] = Counter()
        for part in row.parts.all():
            sums.update(part.moved)
        return described(sums)

    @admin.display(description=_("agents"))
    def which(self, row: Reclassification) -> str:
        changed = list(row.changed.order_by("pk")[:SHOWN_AGENTS])
        names = Agent.objects.in_bulk([one.agent for one in changed])
        return format_html_join(
            mark_safe("<br>"),
            "{}: {} → {}",
            (
                (names.get(one.agent, one.agent), kind_of(one.before), kind_of(one.after))
                for one in changed
            ),
        )


def kind_of(steps: Any) -> str:
    """Return the kind that an agent has after these steps."""
    return str(Kind(steps[-1][1]).label)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Events that could not be counted, to be replayed or deleted."""

    list_display = ("created_at", "reason", "partition", "text", "replayed_at")
    list_filter = (ReplayedFilter, "created_at")
    search_fields = ("reason",)
    fields = (
        "created_at", "reason", "partition", "at", "entry_id", "text", "replayed_at", "replayed_by",
    )  # fmt: skip
    actions = ("replay",)

    def has_delete_permission(self, request: HttpRequest, obj: DeadLetter | None = None) -> bool:
        """One that was replayed stays: its entry, read again, would make another letter."""
        if obj and obj.replayed_at:
            return False
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    @admin.display(description=_("body"))
    def text(self, event: DeadLetter) -> str:
        return bytes(event.body)[:2000].decode(errors="backslashreplace")

    @admin.action(permissions=["delete"], description=_("Replay selected %(verbose_name_plural)s"))
    def replay(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        count = replay(queryset, request.user)
        text = ngettext(
            "%d event goes to the next flush.", "%d events go to the next flush.", count
        )
        self.message_user(request, text % count, messages.SUCCESS)
