"""Pagination of the list of pages; counting a long list took most of the time of a request."""

import time
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

from api.pagination import Pagination

MAX_EXACT = 10_000
"""Up to so many pages are counted for each request; more are counted once in `MAX_AGE` seconds."""
MAX_AGE = 1.0


class CachedCountPaginator(Paginator):  # type: ignore[type-arg]
    last_count = (float("-inf"), 0)
    """When all pages were last counted, by the monotonic clock, and the result."""

    @cached_property
    def count(self) -> int:
        pages: Any = self.object_list
        at, number = CachedCountPaginator.last_count
        if pages.query.where or number <= MAX_EXACT or time.monotonic() - at > MAX_AGE:
            number = pages.count()
            if not pages.query.where:
                CachedCountPaginator.last_count = (time.monotonic(), number)
        return number


class PagePagination(Pagination):
    django_paginator_class = CachedCountPaginator
