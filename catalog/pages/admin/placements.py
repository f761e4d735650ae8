"""The contents of a page in its form: blocks of any type, moved by buttons or by dragging."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django import forms
from django.apps import apps
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Prefetch
from django.http import HttpRequest, QueryDict
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from nested_admin.nested import NestedStackedInline

from catalog.admin import TitleSelect
from catalog.concurrent_edits import describe_entries
from catalog.pages.models import Content, Page, PageContent
from footfall.common.admin_urls import admin_address, key_in

CONTENT_FIELD: Any = PageContent._meta.get_field("content")
MAX_ROWS = 2_000
"""Django's formsets read no more."""


class PlacementForm(forms.ModelForm):  # type: ignore[type-arg]
    # The content is chosen below the blocks; the content of a placement never changes.
    content = forms.ModelChoiceField(Content.objects.select_subclasses(), widget=forms.HiddenInput)
    delete_content = forms.BooleanField(
        label=gettext_lazy("Also delete the content"), required=False
    )
    # For a placement that another editor has removed: it is a new one, if it is added again.
    removed = forms.BooleanField(required=False, widget=forms.HiddenInput)
    add_again = forms.BooleanField(label=gettext_lazy("Add it again"), required=False)

    class Meta:
        # Seen and typed only where no script runs.
        widgets = {"position": forms.NumberInput({"class": "placement-position"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.was_removed:  # it may be neither validated nor saved, and shows its content
            self.instance.content_id = key_in(str(self["content"].data))

    @cached_property
    def changed_data(self) -> list[str]:
        if self.was_removed and not self["add_again"].value():
            return []  # saves nothing
        return list(super().changed_data)

    @property
    def was_removed(self) -> bool:
        return bool(self.is_bound and self["removed"].data == "True")


class PlacementInline(NestedStackedInline):  # type: ignore[misc]
    model = PageContent
    form = PlacementForm
    template = "admin/pages/page/placements.html"
    fields = ("content", "position", "delete_content", "removed", "add_again", "block")
    readonly_fields = ("block",)
    sortable_field_name = "position"
    extra = 0

    @property
    def media(self) -> forms.Media:
        own: forms.Media = super().media
        select = TitleSelect(CONTENT_FIELD, self.admin_site)
        return own + select.media + forms.Media(js=["pages/placements.js"])

    def get_queryset(self, request: HttpRequest) -> Any:
        # With the annotations that a block shows.
        contents = self.admin_site.get_model_admin(Content).get_queryset(request)
        return super().get_queryset(request).prefetch_related(Prefetch("content", contents))

    def block(self, placement: PageContent) -> str:
        if not placement.content_id:  # the empty form, the template of new placements
            return ""
        found: Content | None = placement._state.fields_cache.get("content")
        if found is None or type(found) is Content:  # of a form that was sent and is not saved
            rows = Content.objects.select_subclasses()
            found = rows.filter(pk=placement.content_id).first()
        return render_block(found, self.admin_site) if found else ""

    def search(self) -> SafeString:
        """Return the select that finds an existing content to add."""
        return TitleSelect.render_for(CONTENT_FIELD, self.admin_site, "add_content")


def render_block(content: Content, site: Any, is_playable: bool = True) -> SafeString:
    """Return the block of one content: its type, title, main field, preview and views.

    is_playable: the policy of the page that shows it allows its media.
    """
    contents: Any = site.get_model_admin(Content)
    context = {
        "content": content,
        "kind": contents.kind(content),
        "summary": contents.summary(content),
        "preview": contents.preview(content, is_playable),
        "views": contents.views(content),
        "address": admin_address(site, type(content), "change", content.pk),
    }
    return render_to_string("admin/pages/page/block.html", context)


Row = dict[str, str]
NAMES = ("id", "page", "content", "position", "DELETE", "delete_content", "removed", "add_again")


def rows_in(data: QueryDict) -> dict[str, Row]:
    """Return the rows of placements that a form has sent, in the order of their positions.

    The key of a row is the primary key of its placement, or "new 0", "new 1", ...
    """
    total = key_in(data.get("placements-TOTAL_FORMS", "")) or 0
    rows = [row_in(data, f"placements-{i}-") for i in range(min(total, MAX_ROWS))]
    rows.sort(key=lambda row: key_in(row.get("position", "")) or 0)
    return {row["id"] or f"new {i}": row for i, row in enumerate(rows)}


def row_in(data: QueryDict, prefix: str) -> Row:
    row = {name: str(data[prefix + name]) for name in NAMES if prefix + name in data}
    return row | {"id": str(key_in(row.get("id", "")) or "")}


def write(rows: Iterable[Row], data: QueryDict, stored: Sequence[str] = ()) -> None:
    """Replace the rows in `data`; these give the positions.

    stored: the primary keys of the placements that exist. Django wants these first, as the database
        orders them.
    """
    for name in [name for name in data if name.startswith("placements-")]:
        del data[name]
    placed = [row | {"position": str(position)} for position, row in enumerate(rows)]
    places = {key: place for place, key in enumerate(stored)}
    placed.sort(key=lambda row: places.get(row["id"], len(places)))
    data["placements-TOTAL_FORMS"] = str(len(placed))
    data["placements-INITIAL_FORMS"] = str(sum(bool(row["id"]) for row in placed))
    for i, row in enumerate(placed):
        for name, value in row.items():
            data[f"placements-{i}-{name}"] = value


def as_new(rows: Iterable[Row]) -> list[Row]:
    """Return rows for new placements; not for contents that do not exist any more."""
    rows = list(rows)
    keys = [key for row in rows if (key := key_in(row.get("content", "")))]
    existing = {str(pk) for pk in Content.objects.filter(pk__in=keys).values_list("pk", flat=True)}
    return [row | {"id": "", "page": ""} for row in rows if row.get("content") in existing]


def placements_of(page: Page) -> list[list[Any]]:
    """Return the placements in order: their primary key, and that and the title of the content."""
    rows = page.placements.order_by("position", "pk")
    return [list(row) for row in rows.values_list("pk", "content", "content__title")]


def merge_placements(data: QueryDict, page: Page, seen: list[Any] | None) -> list[str]:
    """Put into `data` how another editor changed the placements; return what was changed.

    seen: what `placements_of` returned when the form was rendered; None if that is not known.
    """
    sent = rows_in(data)
    stored = placements_of(page)
    now: dict[str, Row] = {
        str(pk): {"id": str(pk), "page": str(page.pk), "content": str(content)}
        for pk, content, _title in stored
    }
    before = {str(row[0]): row for row in seen or () if isinstance(row, list) and len(row) == 3}
    if seen is None:  # only what is gone can be told
        before = {str(row[0]): row for row in stored if str(row[0]) in sent}
        gone = (key for key, row in sent.items() if row["id"] and key not in now)
        before |= {key: [key, sent[key].get("content"), "?"] for key in gone}
        stored = [row for row in stored if str(row[0]) in before]
    changes = list(tell_changes(before, {str(row[0]): row for row in stored}))
    if changes and sent:
        left_alone = [key for key in sent if key in before] == list(before)
        order = merge_orders(now, sent) if left_alone else merge_orders(sent, now)
        write(merge_rows(order, sent, now), data, list(now))
    return changes


def merge_rows(order: Iterable[str], sent: dict[str, Row], now: dict[str, Row]) -> Iterator[Row]:
    """Yield the rows of the form that is shown next: all of `now`, and new ones."""
    for key in order:
        row = sent.get(key, now.get(key, {}))
        if key in now or not row["id"]:
            yield row
        elif "DELETE" not in row:
            yield from as_new([row | {"removed": "True"}])


def tell_changes(before: dict[str, list[Any]], now: dict[str, list[Any]]) -> Iterator[str]:
    """Yield a sentence for each change. The values are rows of `placements_of`."""
    for key, row in before.items():
        if key not in now:
            yield tell_removal(*row[1:])
    for key, row in now.items():
        if key not in before:
            yield _("“%s” was added to the page.") % row[2]
    if [key for key in now if key in before] != [key for key in before if key in now]:
        yield _("The order of the contents was changed.")


def tell_removal(content: Any, title: Any) -> str:
    """Return the sentence about a placement that is gone, and perhaps its content, too."""
    key = key_in(str(content)) or 0
    if found := Content.objects.filter(pk=key).first():
        return _("“%s” was removed from the page.") % found
    types = [model for model in apps.get_models() if issubclass(model, Content)]
    kinds = ContentType.objects.get_for_models(*types).values()
    deletions = LogEntry.objects.filter(
        action_flag=DELETION, content_type__in=kinds, object_id=str(key)
    )
    text = _("“%s” was deleted.") % title
    return f"{text} {describe_entries(deletions)}".strip()


def merge_orders(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """Return the first order, with what only the second has behind what it follows there."""
    merged = list(first)
    before = None
    for key in second:
        if key not in merged:
            merged.insert(merged.index(before) + 1 if before else 0, key)
        before = key
    return merged
