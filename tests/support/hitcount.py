"""The tables that django-hitcount 1.3.5 and dj-hitcount 2.0 have, without either of them."""

from typing import ClassVar, Self

from django.apps.registry import Apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models

only = Apps()


class HitCount(models.Model):
    hits = models.PositiveIntegerField(default=0)
    modified = models.DateTimeField(auto_now=True)
    content_type_id = models.IntegerField()
    object_pk = models.PositiveIntegerField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "hitcount"
        apps = only
        db_table = "hitcount_hit_count"
        unique_together = ("content_type_id", "object_pk")

    def __str__(self) -> str:
        return f"{self.content_type_id} {self.object_pk}"


class Hit(models.Model):
    created = models.DateTimeField(db_index=True)
    ip = models.CharField(max_length=40, db_index=True, null=True)  # noqa: DJ001
    session = models.CharField(max_length=40, db_index=True)
    user_agent = models.CharField(max_length=255)
    user_id = models.IntegerField(null=True)
    hitcount = models.ForeignKey(HitCount, on_delete=models.CASCADE)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "hitcount"
        apps = only
        db_table = "hitcount_hit"

    def __str__(self) -> str:
        return f"{self.created}"


class BlockedIP(models.Model):
    """As dj-hitcount calls it; the next as django-hitcount does."""

    ip = models.CharField(max_length=40, unique=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "hitcount"
        apps = only
        db_table = "hitcount_blockedip"

    def __str__(self) -> str:
        return self.ip


class BlacklistUserAgent(models.Model):
    user_agent = models.CharField(max_length=255, unique=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "hitcount"
        apps = only
        db_table = "hitcount_blacklist_user_agent"

    def __str__(self) -> str:
        return self.user_agent


TABLES = (HitCount, Hit, BlockedIP, BlacklistUserAgent)


def create_tables() -> None:
    with connection.schema_editor() as editor:
        for model in TABLES:
            editor.create_model(model)


def drop_tables() -> None:
    with connection.schema_editor() as editor:
        for model in reversed(TABLES):
            editor.delete_model(model)


def hit_count(target: models.Model, hits: int) -> HitCount:
    """Insert how often a target was hit."""
    kind = ContentType.objects.get_for_model(target)
    return HitCount.objects.create(content_type_id=kind.pk, object_pk=target.pk, hits=hits)
