"""Deletes stored files together with their row."""

from functools import partial
from typing import Any

from django.db.models.signals import post_delete
from django.db.transaction import on_commit
from django.dispatch import receiver

from uploads.models import File


@receiver(post_delete, sender=File, dispatch_uid="uploads.delete_stored_files")
def delete_stored_files(instance: File, **kwargs: Any) -> None:
    """Delete the file and its thumbnail after the commit; `storage.orphans` finds what is left."""
    for stored in (instance.file, instance.thumbnail):
        if stored.name:
            on_commit(partial(stored.storage.delete, stored.name), robust=True)
