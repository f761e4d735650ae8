"""The tables of uploaded files."""

import uuid
from pathlib import PurePath

from django.conf import settings
from django.db import models
from django.db.models import Q
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


class File(models.Model):
    """An uploaded file. `uploads.processing.claims` changes its status, and nothing else does."""

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
    sender = models.CharField(
        _("sender"),
        max_length=40,
        blank=True,
        editable=False,
        db_default="",
        help_text=_("The account, or a keyed hash of the address: files are processed in turns."),
    )
    uploaded_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    epoch = models.IntegerField(
        _("epoch"),
        null=True,
        blank=True,
        help_text=_("Hours that the service had run when it was first seen; for its expiry."),
    )

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
    outages = models.PositiveIntegerField(
        _("outages"),
        db_default=0,
        help_text=_("How often it has waited for a storage that was away; these are no attempts."),
    )
    dead_reason = models.CharField(
        _("reason of the dead letter"),
        max_length=500,
        blank=True,
        db_default="",
        help_text=_("Why it was given up. Empty once staff have decided about it."),
    )
    due_at = models.DateTimeField(
        _("due"),
        null=True,
        blank=True,
        help_text=_("When its next attempt may begin; empty: at once."),
    )
    is_slow = models.BooleanField(
        _("slow"), db_default=False, help_text=_("It took too long for a short attempt.")
    )
    claim = models.UUIDField(
        _("claim"), null=True, blank=True, help_text=_("Id of the attempt that is processing it.")
    )
    claimed_at = models.DateTimeField(
        _("heartbeat"),
        null=True,
        blank=True,
        help_text=_("Written again and again by the worker that is processing it."),
    )

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="uploads_file_due"
            ),
            models.Index(fields=["sender", "size"], name="uploads_file_sender"),
            models.Index(fields=["epoch"], name="uploads_file_epoch"),
        ]

    def __str__(self) -> str:
        return self.name


class Sender(models.Model):
    """How much processing time a sender has had, in relation to the others: see `turns`."""

    key = models.CharField(max_length=40, unique=True, help_text="As in `File.sender`.")
    spent = models.FloatField(default=0.0, help_text="In seconds, on the scale that all share.")
    started = models.FloatField(default=0.0, db_index=True, help_text="`spent` at its last turn.")
    slow = models.PositiveIntegerField(default=0, help_text="How many slow files in a row it sent.")

    def __str__(self) -> str:
        return self.key


class UploadKey(models.Model):
    """An `Idempotency-Key`: which file its first request has made."""

    digest = models.CharField(max_length=64, unique=True, help_text="Of the client and the key.")
    file = models.ForeignKey(File, models.CASCADE, related_name="+")
    epoch = models.IntegerField(db_index=True)

    def __str__(self) -> str:
        return self.digest


class Orphan(models.Model):
    """A stored file without a row, as long as it is one."""

    name = models.CharField(max_length=200, unique=True, help_text="Its path in the storage.")
    epoch = models.IntegerField(help_text="When it was first found.")
    seen = models.PositiveIntegerField(default=0, help_text="How many comparisons found it.")

    def __str__(self) -> str:
        return self.name
