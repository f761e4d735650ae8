"""The base class of countable models, and how the other tables refer to their objects."""

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.fields import CounterField
from footfall.models.querysets import CountableQuerySet
from footfall.models.viewers import Kind


class Countable(models.Model):
    """Base class of models whose views are counted."""

    counter = CounterField(_("views"))

    objects = CountableQuerySet.as_manager()

    class Meta:
        abstract = True


class OfModel(models.Model):
    """Refers to a countable model."""

    content_type = models.ForeignKey(
        ContentType,
        # Removing a model must not remove the history of its views as a side effect.
        on_delete=models.PROTECT,
        # Other indexes of the tables begin with it, and a constraint would cost time for every row.
        db_index=False,
        db_constraint=False,
        related_name="+",
        verbose_name=_("model"),
    )

    class Meta:
        abstract = True


class Target(OfModel):
    """Refers to one countable object, by model and id."""

    target_id = models.BigIntegerField(_("id"))

    class Meta:
        abstract = True


class ByKind(models.Model):
    """Views, and how many of them each kind of agent has made; the rest is of unknown kind.

    The columns have no default in the database: a flush that does not know kinds fails.
    """

    views = models.BigIntegerField(_("views"))
    person = models.BigIntegerField(_("people"), default=0)
    robot = models.BigIntegerField(_("robots"), default=0)
    prefetch = models.BigIntegerField(_("prefetches"), default=0)
    monitor = models.BigIntegerField(_("monitors"), default=0)
    library = models.BigIntegerField(_("libraries"), default=0)

    class Meta:
        abstract = True


VIEWS = "views"
KIND_COLUMNS = {kind: kind.name.lower() for kind in Kind if kind}
"""Column of `ByKind` by kind; views of unknown kind have none."""
COLUMNS = (VIEWS, *KIND_COLUMNS.values())
