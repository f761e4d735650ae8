"""The admin of books."""

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.admin import CountedAdmin
from catalog.books.models import Book
from catalog.books.rules import normalize_isbn


class BookForm(forms.ModelForm):  # type: ignore[type-arg]
    isbn = forms.CharField(
        label=_("ISBN"), max_length=32, help_text=Book._meta.get_field("isbn").help_text
    )

    def clean_isbn(self) -> str:
        return normalize_isbn(self.cleaned_data["isbn"])


@admin.register(Book)
class BookAdmin(CountedAdmin):
    form = BookForm
    list_display = ("title", "author", "year", "isbn", "views", "updated")
    search_help_text = _("Search by part of the title or author, or by ISBN")

    def get_search_filter(self, text: str) -> Q:
        number = text.replace("-", "").replace(" ", "")
        return Q(title__icontains=text) | Q(author__icontains=text) | Q(isbn=number)
