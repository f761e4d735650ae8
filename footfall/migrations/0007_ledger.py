"""Partitions know the events of batches that were removed."""

from collections import Counter

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def open_books(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Batches that were removed before now took what those that are left have not."""
    taken: Counter[str] = Counter()
    batches = apps.get_model("counters", "Batch").objects
    for partitions in batches.values_list("partitions", flat=True).iterator(chunk_size=2_000):
        taken.update(partitions)
    for partition in apps.get_model("counters", "Partition").objects.all():
        partition.pruned = partition.events - taken[str(partition.number)]
        partition.save(update_fields=["pruned"])


class Migration(migrations.Migration):
    dependencies = (("counters", "0006_missing"),)
    operations = (
        migrations.AddField(
            model_name="partition",
            name="pruned",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunPython(open_books, migrations.RunPython.noop),
    )
