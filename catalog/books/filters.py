"""Filters and ordering of the list of books."""

from django.db.models import Q, QuerySet
from django.forms import IntegerField
from django_filters import CharFilter, FilterSet, NumberFilter

from api.ordering import Ordering
from catalog.books.models import Book


class YearFilter(NumberFilter):  # type: ignore[misc]
    field_class = IntegerField


class BookFilter(FilterSet):  # type: ignore[misc]
    search = CharFilter(
        method="filter_text",
        max_length=200,
        help_text="Books with this in the title or in the author.",
    )
    year_min = YearFilter("year", "gte", help_text="From this year on.")
    year_max = YearFilter("year", "lte", help_text="Up to this year.")
    ordering = Ordering(fields=("title", "author", "year"))

    def filter_text(self, books: QuerySet[Book], name: str, text: str) -> QuerySet[Book]:
        return books.filter(Q(title__icontains=text) | Q(author__icontains=text))
