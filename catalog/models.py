"""The base of pages, contents, books and films."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.models import Countable


class Titled(Countable):
    title = models.CharField(_("title"), max_length=200)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title
