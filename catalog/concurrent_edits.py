"""Forms of the admin that notice what another editor changed while they were open.

A form carries a snapshot of what it was rendered from. When it is sent, the row is locked and
compared with the snapshot. If they differ, nothing is saved: the form is shown again with the
editor's input and with what was changed, by whom and when. It then carries a new snapshot, so that
saving again works. All of this is done on the server, without a script.
"""

import json
from hashlib import sha256
from typing import Any

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.utils import display_for_field, unquote
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.formats import date_format
from django.utils.text import Truncator, capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from footfall.common.admin import ModelAdmin
from footfall.common.admin_urls import admin_address

SNAPSHOT = "_snapshot"
"""The name of the hidden input."""
MAX_EDITORS = 5

Snapshot = dict[str, Any]
"""`fields`: name -> fingerprint of its value; `entry`: the newest log entry."""


class ConcurrentEditsAdmin(ModelAdmin):
    """The base of the admins whose forms notice concurrent changes."""

    change_form_template = "admin/edited/change_form.html"
    delete_confirmation_template = "admin/edited/delete_confirmation.html"

    def snapshot(self, obj: Model) -> Snapshot:
        """Return what a form of this object shows now, as it can be written in JSON."""
        return {"fields": {f.name: fingerprint(f.value_to_string(obj)) for f in fields_of(obj)}}

    def merge(self, data: QueryDict, obj: Model, seen: Snapshot, now: Snapshot) -> list[str]:
        """Put into `data` what another editor changed and this one did not; return all changes.

        data: what this editor sent; it may be written to.
        seen, now: snapshots, which differ; `seen` is empty if the form carried none.
        """
        changes = []
        fields = seen.get("fields")
        fields = fields if isinstance(fields, dict) else {}
        for field in fields_of(obj):
            before = fields.get(field.name)
            if before is None or before == now["fields"][field.name]:
                continue
            value = field.value_to_string(obj)
            if field.name in data and fingerprint(str(data[field.name])) == before:
                data[field.name] = value
            shown = str(display_for_field(getattr(obj, field.name), field, ""))
            text = _("%(field)s is now “%(value)s”.")
            name = capfirst(str(field.verbose_name))
            changes.append(text % {"field": name, "value": Truncator(shown).chars(100)})
        return changes

    def merge_inlines(self, data: QueryDict) -> list[str]:
        """Do the same for rows of inline forms that are not in the snapshot."""
        return []

    def detach(self, data: QueryDict) -> None:
        """Make the form of a deleted object one for a new object."""

    # --- Django's views ---------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        if not getattr(request, "concurrent_changes", None):
            return form

        class UnsavedForm(form):  # type: ignore[misc]
            def clean(self) -> Any:
                self.add_error(None, _("Nothing is saved yet: another editor was faster."))
                return super().clean()

        return UnsavedForm

    def _changeform_view(
        self, request: Any, object_id: str | None, form_url: str, extra_context: Any
    ) -> Any:
        view = super()._changeform_view  # type: ignore[misc]
        extra = dict(extra_context or {})
        if object_id is None:
            return view(request, object_id, form_url, extra)
        obj = self.find(request, object_id)
        is_save = request.method == "POST" and self.has_change_permission(request, obj)
        if obj is None:
            if is_save and self.has_add_permission(request):
                return self.offer_to_add(request, object_id, extra)
            return view(request, object_id, form_url, extra)
        now = self.snapshot_with_entry(obj)
        extra[SNAPSHOT[1:]] = json.dumps(now)
        if is_save:
            data = request.POST.copy()
            changes = self.changes_since(data, obj, now)
            if changes:
                request.POST = data
                self.note(request, extra, changes, self.describe_editors(obj, data))
        return view(request, object_id, form_url, extra)

    def _delete_view(self, request: Any, object_id: str, extra_context: Any) -> Any:
        extra = dict(extra_context or {})
        if obj := self.find(request, object_id):
            now = self.snapshot_with_entry(obj)
            extra[SNAPSHOT[1:]] = json.dumps(now)
            data = request.POST.copy()
            if SNAPSHOT in data and (changes := self.changes_since(data, obj, now)):
                extra |= {"changes": changes, "editors": self.describe_editors(obj, data)}
                request.POST = QueryDict()  # asks again
        return super()._delete_view(request, object_id, extra)  # type: ignore[misc]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        own = len(context["adminform"].form.non_field_errors()) == len(context["errors"]) == 1
        if own and getattr(request, "concurrent_changes", None):
            context["errors"] = []  # it is that of `UnsavedForm`; the list of changes says it
        return super().render_change_form(request, context, *args, **kwargs)

    # --- Their steps ------------------------------------------------------------------------------

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """Return the object, locked if the request may change it; None if there is none."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None or request.method != "POST":
            return obj
        rows = self.model._default_manager.select_for_update().filter(pk=obj.pk)
        # Once the row is locked, no other transaction can change it.
        return self.get_object(request, unquote(object_id)) if list(rows.values("pk")) else None

    def snapshot_with_entry(self, obj: Model) -> Snapshot:
        newest = LogEntry.objects.order_by("-pk").values_list("pk", flat=True).first()
        return {**self.snapshot(obj), "entry": newest or 0}

    def changes_since(self, data: QueryDict, obj: Model, now: Snapshot) -> list[str]:
        """Return what was changed since the form was rendered; merge it into `data`."""
        seen = parse(data.get(SNAPSHOT, ""))
        is_same = bool(seen) and without_entry(seen) == without_entry(now)
        changes = [] if is_same else self.merge(data, obj, seen, now)
        return [*changes, *self.merge_inlines(data)]

    def describe_editors(self, obj: Model, data: QueryDict) -> str:
        """Return who changed the object since the form was rendered, and when; "" if unknown."""
        newest = parse(data.get(SNAPSHOT, "")).get("entry")
        if type(newest) is not int:
            return ""
        return describe_entries(entries_of(obj).filter(pk__gt=newest))

    def offer_to_add(self, request: Any, object_id: str, extra: dict[str, Any]) -> HttpResponse:
        """Show what was sent for an object that is deleted meanwhile as the form of a new one."""
        data = request.POST.copy()
        data.pop(SNAPSHOT, None)
        self.detach(data)
        request.POST = data
        deletions = entries_of(self.model(pk=unquote(object_id))).filter(action_flag=DELETION)
        self.note(request, extra, [_("Saving now makes a new one.")], describe_entries(deletions))
        extra["is_deleted"] = True
        address = admin_address(self.admin_site, self.model, "add")
        response: HttpResponse = super()._changeform_view(request, None, address, extra)  # type: ignore[misc]
        return response

    def note(self, request: Any, extra: dict[str, Any], changes: list[str], editors: str) -> None:
        request.concurrent_changes = changes
        extra |= {"changes": changes, "editors": editors}


def fields_of(obj: Model) -> list[Any]:
    """Return the fields that a form may change."""
    return [f for f in obj._meta.concrete_fields if f.editable and not f.primary_key]


def fingerprint(value: str) -> str:
    """Return a short hash; the line ends that a browser changes make no difference."""
    text = value.replace("\r\n", "\n").strip()
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parse(text: str) -> Snapshot:
    """Return the snapshot that a form carried; an empty one if it carried none."""
    try:
        snapshot = json.loads(text) if len(text) < 1_000_000 else None
    except (ValueError, RecursionError):
        return {}
    return snapshot if isinstance(snapshot, dict) else {}


def without_entry(snapshot: Snapshot) -> Snapshot:
    return {name: value for name, value in snapshot.items() if name != "entry"}


def entries_of(obj: Model) -> QuerySet[LogEntry]:
    """Return the log entries of an object, which may be deleted."""
    kind = ContentType.objects.get_for_model(obj)
    return LogEntry.objects.filter(content_type=kind, object_id=str(obj.pk))


def describe_entries(entries: QuerySet[LogEntry]) -> str:
    """Return "anna (11/30/2026 10:31 a.m.), boris (...)": each user's last entry, newest first."""
    last: dict[str, str] = {}
    for entry in entries.select_related("user").order_by("-pk")[:50]:
        at = date_format(localtime(entry.action_time), "SHORT_DATETIME_FORMAT")
        last.setdefault(entry.user.get_username(), at)
    return ", ".join(f"{name} ({at})" for name, at in list(last.items())[:MAX_EDITORS])
