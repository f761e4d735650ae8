"""The base class of countable models, and how the other tables refer to their objects."""

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.fields import CounterField


class Countable(models.Model):
    """Base class of models whose views are counted."""

    counter = CounterField(_("views"))

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
