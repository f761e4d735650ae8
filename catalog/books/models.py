"""The model of books."""

from hashlib import sha256

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.books.rules import check_year
from catalog.models import Titled


class Book(Titled):
    author = models.CharField(_("author"), max_length=200)
    year = models.PositiveSmallIntegerField(_("year"), validators=[check_year])
    isbn = models.CharField(
        _("ISBN"),
        max_length=13,
        unique=True,
        help_text=_("ISBN-10 or ISBN-13; kept as ISBN-13 without hyphens."),
    )

    class Meta:
        verbose_name = _("book")
        verbose_name_plural = _("books")
        indexes = [
            models.Index(fields=["title"], name="books_book_title"),
            models.Index(fields=["author"], name="books_book_author"),
            models.Index(fields=["year"], name="books_book_year"),
        ]
        constraints = [models.CheckConstraint(condition=Q(year__gte=1), name="books_book_year_min")]

    @property
    def etag(self) -> str:
        """The ETag of the book's fields, without its counter: a view is not a change."""
        content = "\0".join((str(self.pk), self.title, self.author, str(self.year), self.isbn))
        return f'"{sha256(content.encode()).hexdigest()[:32]}"'
