"""Filters and ordering of the lists of categories, films and comments."""

from django.db.models import Q, QuerySet
from django_filters import CharFilter, FilterSet, ModelChoiceFilter

from api.ordering import Ordering
from catalog.films.models import Category, Film


class CategoryFilter(FilterSet):  # type: ignore[misc]
    search = CharFilter(
        "title", "icontains", max_length=200, help_text="Categories with this in the title."
    )
    parent = ModelChoiceFilter(
        queryset=Category.objects.all(), help_text="Direct children of this category."
    )
    ordering = Ordering(fields=("title",))


class FilmFilter(FilterSet):  # type: ignore[misc]
    search = CharFilter(
        method="filter_text",
        max_length=200,
        help_text="Films with this in the title or in the description.",
    )
    category = ModelChoiceFilter(
        queryset=Category.objects.all(), help_text="Films of this category, without its children."
    )
    ordering = Ordering(
        fields={"category__title": "category", "title": "title", "time_filmed": "time_filmed"}
    )

    def filter_text(self, films: QuerySet[Film], name: str, text: str) -> QuerySet[Film]:
        return films.filter(Q(title__icontains=text) | Q(description__icontains=text))


class CommentFilter(FilterSet):  # type: ignore[misc]
    film = ModelChoiceFilter(queryset=Film.objects.all(), help_text="Comments on this film.")
