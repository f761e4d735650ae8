"""Keys of clients whose events are in the event store."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ClientKey(models.Model):
    """A key with which an event was stored: another one with it is not counted."""

    hash = models.UUIDField(_("key"), primary_key=True)
    """See `footfall.events.keys`; 16 bytes."""
    until = models.BigIntegerField(_("until"), db_index=True)
    """The epoch in which it is removed, see `footfall.identity`."""

    class Meta:
        verbose_name = _("key of a client")
        verbose_name_plural = _("keys of clients")

    def __str__(self) -> str:
        return self.hash.hex
