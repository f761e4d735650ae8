"""What the list of books is narrowed down by, and put in order."""

from django.db.models import Q, QuerySet
from django.forms import IntegerField
from django_filters import CharFilter, FilterSet, NumberFilter

from api.ordering import Ordering
from catalog.books.models import Book


class YearFilter(NumberFilter):  # type: ignore[misc]
    field_class = IntegerField


class BookFilter(FilterSet):  # type: ignore[misc]
    search = CharFilter(
        method="contains",
        max_length=200,
        help_text="Books with this in the title or in the author's name.",
    )
    year_min = YearFilter("year", "gte", help_text="Not older than this.")
    year_max = YearFilter("year", "lte", help_text="Not younger than this.")
    ordering = Ordering(fields=("title", "author", "year"))

    class Meta:
        model = Book
        fields: tuple[str, ...] = ()

    def contains(self, books: QuerySet[Book], name: str, text: str) -> QuerySet[Book]:
        return books.filter(Q(title__icontains=text) | Q(author__icontains=text))
