"""The database gets an identity. One that has counted before keeps its keys in Redis."""

import secrets

from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Now


def name_database(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    has_counted = apps.get_model("counters", "Partition").objects.exists()
    name = "" if has_counted else secrets.token_hex(4)
    apps.get_model("counters", "Identity").objects.create(pk=1, name=name)


class Migration(migrations.Migration):
    dependencies = [("counters", "0010_store")]  # and so the user, as `0003_dashboard` does

    operations = [
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(blank=True, max_length=32, verbose_name="identity"),
                ),
                ("epoch", models.BigIntegerField(default=0, verbose_name="epoch")),
                ("epoch_at", models.DateTimeField(db_default=Now())),
                ("conflict_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "identity of the database",
                "verbose_name_plural": "identity of the database",
            },
        ),
        migrations.AddField("partition", "states_epoch", models.BigIntegerField(null=True)),
        migrations.AddField("partition", "position_lost_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "partition",
            "position_lost",
            models.CharField(blank=True, db_default="", max_length=20),
        ),
        migrations.AddField("producerstate", "epoch", models.BigIntegerField(db_default=0)),
        migrations.AddField("spilled", "inserted_at", models.DateTimeField(db_default=Now())),
        migrations.AddField("spilled", "letter_id", models.BigIntegerField(null=True)),
        migrations.AddField("deadletter", "producer_id", models.BigIntegerField(null=True)),
        migrations.AddField("deadletter", "sequence", models.BigIntegerField(null=True)),
        migrations.AddField("deadletter", "epoch", models.BigIntegerField(null=True)),
        migrations.AlterField(
            "deadletter",
            "created_at",
            models.DateTimeField(db_default=Now(), verbose_name="created at"),
        ),
        migrations.AddField(
            "deadletter",
            "replayed_at",
            models.DateTimeField(null=True, verbose_name="replayed at"),
        ),
        migrations.AddField(
            "deadletter",
            "replayed_by",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=models.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="replayed by",
            ),
        ),
        migrations.AddField("audit", "epoch", models.BigIntegerField(null=True)),
        migrations.RunPython(name_database, migrations.RunPython.noop),
    ]
