"""Rows of inline forms whose objects were deleted while the form was open: they become new ones."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Model
from django.http import QueryDict
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from footfall.common.admin_urls import key_in

MAX_ROWS = 2_000
"""Django's formsets read no more."""

Inlines = Sequence[tuple[str, type[Model], str, "Inlines"]]
"""The prefix of each formset, its model, the key to its parent, and the formsets in its rows."""


def renew(data: QueryDict, inlines: Inlines, parent: str = "") -> list[str]:
    """Turn rows of deleted objects into rows of new ones, with all that was entered.

    Returns a sentence for each object. Rows that were marked to be deleted are left out.

    data: what a form has sent; it may be written to.
    parent: the prefix of the row that the formsets are in, "films-3-".
    """
    told = []
    for name, model, key_to_parent, nested in inlines:
        prefix = f"{parent}{name}-"
        rows = rows_in(data, prefix)
        keys = [key for row in rows if (key := key_in(row.get("id", "")))]
        existing = set(model._default_manager.filter(pk__in=keys).values_list("pk", flat=True))
        gone = [row for row in rows if row.get("id") and key_in(row["id"]) not in existing]
        told += [tell(row) for row in gone if "DELETE" not in row]
        if gone:
            kept = [row for row in rows if row not in gone]
            blank = {"id": "", key_to_parent: ""}  # the parent may be a new one, too
            new = [row | blank for row in gone if "DELETE" not in row]
            rows = sorted([*kept, *new], key=lambda row: not row.get("id"))
            write(data, prefix, rows)
        for i in range(len(rows)):
            told += renew(data, nested, f"{prefix}{i}-")
    return told


def rows_in(data: QueryDict, prefix: str) -> list[dict[str, str]]:
    """Return the rows of a formset, each with all fields in it by the rest of their names."""
    total = min(key_in(data.get(f"{prefix}TOTAL_FORMS", "")) or 0, MAX_ROWS)
    rows: list[dict[str, str]] = [{} for _ in range(total)]
    for i, rest, name in fields_in(data, prefix):
        if i < total:
            rows[i][rest] = str(data[name])
    return rows


def fields_in(data: QueryDict, prefix: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number of the row, the rest of the name, and the name of each field."""
    pattern = re.compile(rf"{re.escape(prefix)}(\d{{1,9}})-(.+)", re.ASCII)
    for name in data:
        if match := pattern.fullmatch(name):
            yield int(match[1]), match[2], name


def write(data: QueryDict, prefix: str, rows: list[dict[str, str]]) -> None:
    for _i, _rest, name in list(fields_in(data, prefix)):
        del data[name]
    data[f"{prefix}TOTAL_FORMS"] = str(len(rows))
    data[f"{prefix}INITIAL_FORMS"] = str(sum(bool(row.get("id")) for row in rows))
    for i, row in enumerate(rows):
        for rest, value in row.items():
            data[f"{prefix}{i}-{rest}"] = value


def tell(row: dict[str, str]) -> str:
    shown: Any = row.get("title") or row.get("text") or row["id"]
    text = _("“%s” was deleted. It is below as a new one, which you may remove.")
    return text % Truncator(shown).chars(60)
