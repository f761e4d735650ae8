"""The table of uploaded files."""

import uuid
from datetime import datetime, timedelta
from pathlib import PurePath

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    RECEIVED = "received", _("received")
    PROCESSING = "processing", _("processing")
    PROCESSED = "processed", _("processed")
    FAILED = "failed", _("failed")


class Kind(models.TextChoices):
    """The kind of a file, which selects its processor."""

    IMAGE = "image", _("image")
    TEXT = "text", _("text")
    PDF = "pdf", _("PDF")
    AUDIO = "audio", _("audio")
    VIDEO = "video", _("video")
    TABLE = "table", _("table")
    ARCHIVE = "archive", _("archive")
    OTHER = "other", _("other")


def upload_path(file: "File", name: str) -> str:
    """Return a random path in the storage; only the extension is the client's."""
    key = uuid.uuid4().hex
    return f"files/{key[:2]}/{key}{PurePath(name).suffix.lower()[:10]}"


PUBLISH_TIMEOUT = timedelta(seconds=2)


def first_due_at() -> datetime:
    """Return when a worker may publish the event of a new file: until then its request does."""
    return timezone.now() + PUBLISH_TIMEOUT


class File(models.Model):
    """An uploaded file. The row is its own outbox, see `due_at`; `claims` changes the status."""

    file = models.FileField(_("file"), upload_to=upload_path, max_length=200, db_index=True)
    name = models.CharField(_("name"), max_length=255, help_text=_("As sent by the client."))
    size = models.PositiveBigIntegerField(_("size"), help_text=_("In bytes."))
    sha256 = models.CharField("SHA-256", max_length=64)
    content_type = models.CharField(
        _("content type"), max_length=127, help_text=_("Detected from the content.")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="files",
        verbose_name=_("owner"),
    )
    uploaded_at = models.DateTimeField(_("uploaded"), auto_now_add=True)

    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.RECEIVED, db_index=True
    )
    processed = models.GeneratedField(
        expression=Q(status=Status.PROCESSED),  # type: ignore[arg-type]  # as Django documents it
        output_field=models.BooleanField(_("processed")),
        db_persist=True,
    )
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    thumbnail = models.FileField(_("thumbnail"), blank=True, max_length=200)
    error = models.TextField(_("error"), blank=True, help_text=_("Why it could not be processed."))

    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(
        _("due"),
        null=True,
        blank=True,
        default=first_due_at,
        help_text=_("When its event is to be published; empty if it was."),
    )
    entry_id = models.CharField(
        _("entry"), max_length=40, blank=True, help_text=_("Id of its event in the queue.")
    )
    claim = models.UUIDField(
        _("claim"), null=True, blank=True, help_text=_("Id of the attempt that is processing it.")
    )
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="uploads_file_due"
            )
        ]

    def __str__(self) -> str:
        return self.name
