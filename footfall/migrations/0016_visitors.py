"""The visitors of each day, and which of them are to be counted again."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def store_sketches(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let PostgreSQL not compress again what is compressed, and have room to update in place."""
    if schema_editor.connection.vendor == "postgresql":
        table = "counters_visitorsketch"
        schema_editor.execute(f"ALTER TABLE {table} ALTER COLUMN sketch SET STORAGE EXTERNAL")
        schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("counters", "0015_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="VisitorRecount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "label",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("label", models.CharField(max_length=100, verbose_name="model")),
                ("day", models.DateField(verbose_name="day")),
                ("reason", models.CharField(max_length=10, verbose_name="reason")),
                ("verdicts", models.BigIntegerField()),
                ("token", models.BigIntegerField(default=0)),
                ("number", models.BigIntegerField(default=-1)),
                ("unread", models.BooleanField(default=False)),
            ],
            options={
                "verbose_name": "recount of the visitors of a day",
                "verbose_name_plural": "recounts of visitors",
            },
        ),
        migrations.CreateModel(
            name="VisitorSketch",
            fields=[
                ("target_id", models.BigIntegerField(verbose_name="id")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "day",
                        "beside",
                        "target_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("beside", models.BooleanField(default=False)),
                ("sketch", models.BinaryField()),
                ("visitors", models.BigIntegerField(verbose_name="visitors")),
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
                "verbose_name": "visitors of a day",
                "verbose_name_plural": "visitors by day",
                "indexes": [
                    models.Index(fields=["content_type", "target_id"], name="counters_visitors_of")
                ],
            },
        ),
        migrations.RunPython(store_sketches, migrations.RunPython.noop),
    ]
