"""The database gets an identity. One that has counted before keeps its keys in Redis."""

import secrets

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Now


def name_database(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    has_counted = apps.get_model("counters", "Partition").objects.exists()
    name = "" if has_counted else secrets.token_hex(4)
    apps.get_model("counters", "Identity").objects.create(pk=1, name=name)


class Migration(migrations.Migration):
    dependencies = [("counters", "0010_store")]

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
            ],
            options={
                "verbose_name": "identity of the database",
                "verbose_name_plural": "identity of the database",
            },
        ),
        migrations.AddField("spilled", "inserted_at", models.DateTimeField(db_default=Now())),
        migrations.RunPython(name_database, migrations.RunPython.noop),
    ]
