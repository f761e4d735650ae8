"""What is countable, and how the tables of the counting name it."""

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy as _

from footfall.fields import CounterField


class Countable(models.Model):
    """Base class of what can be viewed."""

    counter = CounterField(_("views"))

    class Meta:
        abstract = True


class OfModel(models.Model):
    """Names a countable model."""

    content_type = models.ForeignKey(
        ContentType,
        # Removing a model must not remove the history of its views by the way.
        on_delete=models.PROTECT,
        # The tables have indexes that begin with it, and a check per row of a batch adds up.
        db_index=False,
        db_constraint=False,
        related_name="+",
        verbose_name=_("model"),
    )

    class Meta:
        abstract = True


class Target(OfModel):
    """Names one countable object, by model and id."""

    target_id = models.BigIntegerField(_("id"))

    class Meta:
        abstract = True
