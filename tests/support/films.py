"""Categories, films and comments for the tests, each in one line."""

from typing import Any

from catalog.films.models import Category, Comment, Film


def make_category(**given: Any) -> Category:
    return Category.objects.create(**{"title": "Silent films", **given})


def make_film(**given: Any) -> Film:
    category = given.pop("category", None) or make_category()
    return Film.objects.create(**{"title": "The General", "category": category, **given})


def make_comment(**given: Any) -> Comment:
    film = given.pop("film", None) or make_film()
    return Comment.objects.create(**{"text": "What a chase.", "film": film, **given})
