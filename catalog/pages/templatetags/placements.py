"""The order of the blocks in the form of a page."""

from collections.abc import Iterable
from typing import Any

from django import template

from footfall.common.admin_urls import key_in

register = template.Library()


@register.filter
def by_position(placements: Iterable[Any]) -> list[Any]:
    """Return the forms of placements by position, then those without one, then the empty form.

    Equal positions stay in the order of the form.
    nested_admin's `formsetsort` compares the forms themselves then: a TypeError.
    """

    def place(placement: Any) -> tuple[bool, float]:
        is_empty = not placement.form.prefix.rpartition("-")[2].isdecimal()
        position = key_in(str(placement.form["position"].data or ""))
        return is_empty, float("inf") if position is None else position

    return sorted(placements, key=place)
