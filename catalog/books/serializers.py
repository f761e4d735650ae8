"""The serializer of books."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from api.locking import save_or_validate_again
from catalog.books.models import Book
from catalog.books.rules import normalize_isbn


class ISBNField(serializers.CharField):
    """Accepts an ISBN-10 or ISBN-13, with or without hyphens; stores an ISBN-13 without."""

    def to_internal_value(self, data: Any) -> str:
        return normalize_isbn(super().to_internal_value(data))


class BookSerializer(serializers.ModelSerializer[Book]):
    isbn = ISBNField(
        max_length=32,
        validators=[
            UniqueValidator(Book.objects.all(), _("A book with this ISBN already exists."))
        ],
        help_text="ISBN-10 or ISBN-13, with or without hyphens; shown as ISBN-13 without.",
    )

    class Meta:
        model = Book
        fields = ("id", "title", "author", "year", "isbn", "counter")
        extra_kwargs = {
            "year": {"min_value": 1, "help_text": "From 1 to the current year."},
            "counter": {"help_text": "Views of this book that are counted so far."},
        }

    def save(self, **kwargs: Any) -> Book:
        return save_or_validate_again(self, lambda: super(BookSerializer, self).save(**kwargs))
