"""The list of pages, when it is long: counting it took most of the time of a request."""

import time
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

from api.pagination import Pagination

LONG = 10_000
"""So many pages are counted anew for each request; if there are more, once in `FRESH` seconds."""
FRESH = 1.0


class LongPaginator(Paginator):  # type: ignore[type-arg]
    last = (float("-inf"), 0)
    """When all pages were counted last, by the monotonic clock, and how many they were."""

    @cached_property
    def count(self) -> int:
        pages: Any = self.object_list
        at, number = LongPaginator.last
        if pages.query.where or number <= LONG or time.monotonic() - at > FRESH:
            number = pages.count()
            if not pages.query.where:
                LongPaginator.last = (time.monotonic(), number)
        return number


class LongPagination(Pagination):
    django_paginator_class = LongPaginator
