"""When the row of a file is deleted, by whomever, what it has in the storage goes, too."""

from functools import partial
from typing import Any

from django.db.models.signals import post_delete
from django.db.transaction import on_commit
from django.dispatch import receiver

from uploads.models import File


@receiver(post_delete, sender=File, dispatch_uid="uploads.signals")
def remove_stored(instance: File, **kwargs: Any) -> None:
    """Delete both files after the commit; what cannot be deleted now is left to the sweep."""
    for stored in (instance.file, instance.thumbnail):
        if stored.name:
            on_commit(partial(stored.storage.delete, stored.name), robust=True)
