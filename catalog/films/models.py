"""Films, the tree of their categories, comments, and jobs that generate films."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.films import tree
from catalog.models import Titled

# Valid years in any time zone; the oldest photograph is from 1826.
EARLIEST, LATEST = datetime(1800, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


def owner_field(verbose_name: Any, **kwargs: Any) -> "models.ForeignKey[Any, Any]":
    """Return a foreign key to the owner, which is NULL after the account was deleted."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=verbose_name,
        **kwargs,
    )


class Category(models.Model):
    title = models.CharField(_("title"), max_length=200)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )
    owner = owner_field(_("owner"))

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        indexes = [models.Index(fields=["title"], name="films_category_title")]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        tree.validate_parent(self)


class Film(Titled):
    description = models.TextField(_("description"), max_length=10_000, blank=True)
    category = models.ForeignKey(
        Category, models.PROTECT, related_name="films", verbose_name=_("category")
    )
    time_filmed = models.DateTimeField(
        _("time filmed"),
        null=True,
        blank=True,
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
        help_text=_("When it was filmed."),
    )
    owner = owner_field(_("owner"))

    class Meta:
        verbose_name = _("film")
        verbose_name_plural = _("films")
        indexes = [
            models.Index(fields=["title"], name="films_film_title"),
            models.Index(fields=["time_filmed"], name="films_film_time_filmed"),
        ]


class Comment(models.Model):
    film = models.ForeignKey(Film, models.CASCADE, related_name="comments", verbose_name=_("film"))
    author = owner_field(_("author"))
    text = models.TextField(_("text"), max_length=10_000)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")

    def __str__(self) -> str:
        return self.text[:80]


class State(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


UNFINISHED = (State.WAITING, State.RUNNING)


class Kind(models.TextChoices):
    CATEGORIES = "categories", _("categories")
    FILMS = "films", _("films")


class GenerationJob(models.Model):
    """A background job that generates many categories or films, and its progress."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    total = models.PositiveIntegerField(_("total"))
    done = models.PositiveIntegerField(_("done"), default=0)
    state = models.CharField(
        _("state"), max_length=16, choices=State, default=State.WAITING, db_index=True
    )
    error = models.TextField(_("error"), blank=True)
    owner = owner_field(_("owner"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last progress"), auto_now=True)

    class Meta:
        db_table = "films_generation"
        verbose_name = _("generation job")
        verbose_name_plural = _("generation jobs")

    def __str__(self) -> str:
        return f"{self.kind}: {self.done}/{self.total}"
