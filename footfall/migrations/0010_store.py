"""The event store takes the place of the batches.

A flusher of the version before fails from here on, since `counters_batch` is gone: it cannot count
past the store.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def begin_store(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The store begins empty: what was counted before is in no segment."""
    partitions = apps.get_model("counters", "Partition").objects
    partitions.update(events_before_store=models.F("events"))


def store_uncompressed(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let PostgreSQL not compress again what is compressed already."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE counters_segment ALTER COLUMN data SET STORAGE EXTERNAL")


def leave_room(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let all rollups of a page be updated at once without leaving it: most of them are, each time.

    That takes half of the time, and no index is touched. Pages that are full already stay so.
    """
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE counters_rollup SET (fillfactor = 50)")


def rename_permissions(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Groups and users that may view batches may view segments."""
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="counters"
    )
    for permission in permissions.filter(codename__endswith="_batch"):
        verb = permission.codename.removesuffix("_batch")
        permission.codename = f"{verb}_segment"
        permission.name = f"Can {verb} segment"
        permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("counters", "0009_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="Carried",
            fields=[
                ("target_id", models.BigIntegerField(verbose_name="id")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "target_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("views", models.BigIntegerField(verbose_name="views")),
                ("since", models.BigIntegerField()),
                (
                    "content_type",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="contenttypes.contenttype",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "carried over views",
                "verbose_name_plural": "carried over views",
            },
        ),
        migrations.CreateModel(
            name="Projection",
            fields=[
                (
                    "name",
                    models.CharField(
                        max_length=150, primary_key=True, serialize=False, verbose_name="name"
                    ),
                ),
                ("number", models.BigIntegerField(default=0, verbose_name="segment")),
                ("key", models.BigIntegerField(default=0)),
                ("events", models.BigIntegerField(default=0, verbose_name="events")),
                ("moved_at", models.DateTimeField(null=True, verbose_name="moved at")),
                ("dropped", models.JSONField(default=dict, verbose_name="dropped by reason")),
                ("failed_at", models.DateTimeField(null=True, verbose_name="failed at")),
                ("error", models.TextField(blank=True, verbose_name="error")),
            ],
            options={
                "verbose_name": "projection",
                "verbose_name_plural": "projections",
            },
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                (
                    "number",
                    models.BigIntegerField(
                        primary_key=True, serialize=False, verbose_name="number"
                    ),
                ),
                ("first", models.BigIntegerField()),
                ("key", models.BigIntegerField()),
                ("events", models.PositiveIntegerField(verbose_name="events")),
                ("first_at", models.BigIntegerField()),
                ("last_at", models.BigIntegerField()),
                ("stored_at", models.DateTimeField(db_index=True, verbose_name="stored at")),
                ("seconds", models.FloatField(default=0, verbose_name="seconds")),
                (
                    "drained",
                    models.PositiveIntegerField(default=0, verbose_name="taken from the spill"),
                ),
                ("partitions", models.JSONField(default=dict, verbose_name="events by partition")),
                ("version", models.PositiveSmallIntegerField()),
                ("checksum", models.BigIntegerField()),
                ("data", models.BinaryField()),
                (
                    "corrupt_at",
                    models.DateTimeField(db_index=True, null=True, verbose_name="found corrupt at"),
                ),
            ],
            options={
                "verbose_name": "segment",
                "verbose_name_plural": "segments",
            },
        ),
        migrations.CreateModel(
            name="StoreHead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.BigIntegerField(default=0)),
                ("key", models.BigIntegerField(default=0)),
                ("events", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "end of the event store",
                "verbose_name_plural": "end of the event store",
            },
        ),
        migrations.DeleteModel(
            name="Batch",
        ),
        migrations.RemoveField(
            model_name="partition",
            name="pruned",
        ),
        migrations.AddField(
            model_name="partition",
            name="dropped",
            field=models.JSONField(default=dict, verbose_name="dropped by reason"),
        ),
        migrations.AddField(
            model_name="partition",
            name="events_before_store",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="spilled",
            name="meta",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="deadletter",
            name="meta",
            field=models.BinaryField(null=True),
        ),
        migrations.RunPython(begin_store, migrations.RunPython.noop),
        migrations.RunPython(store_uncompressed, migrations.RunPython.noop),
        migrations.RunPython(leave_room, migrations.RunPython.noop),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
    ]
