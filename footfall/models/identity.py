"""Which database this is, and a clock that no clock can turn by much."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Identity(models.Model):
    """One row: the identity of this database, and its epoch."""

    name = models.CharField(_("identity"), max_length=32, blank=True)
    """Random; empty for a database from before there were identities. Keys in Redis have it."""
    epoch = models.BigIntegerField(_("epoch"), default=0)
    """Hours that the service has run, as `footfall.identity.advance_epoch` counts them."""
    epoch_at = models.DateTimeField(db_default=Now())
    """When the last of them ended, by the database's clock."""
    conflict_at = models.DateTimeField(null=True)
    """When an ingest last found that another database has stored events of this log, or that this
    one was restored. Until then a copy needs `manage.py counters new-identity`."""

    class Meta:
        verbose_name = _("identity of the database")
        verbose_name_plural = _("identity of the database")

    def __str__(self) -> str:
        return self.name
