"""What the batches took that are no longer kept; and the task that folds old hours into days."""

from collections import Counter

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from footfall.ops.schedule import put, remove

ENTRIES = {
    "Fold old hours into days (fold)": {"task": "counters.fold", "every": 1, "period": "days"}
}


def open_books(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Batches that were removed before now took what those that are left have not."""
    taken: Counter[str] = Counter()
    batches = apps.get_model("counters", "Batch").objects
    for partitions in batches.values_list("partitions", flat=True).iterator(chunk_size=2_000):
        taken.update(partitions)
    for partition in apps.get_model("counters", "Partition").objects.all():
        partition.pruned = partition.events - taken[str(partition.number)]
        partition.save(update_fields=["pruned"])


def schedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    put(apps, ENTRIES)


def unschedule(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    remove(apps, ENTRIES)


class Migration(migrations.Migration):
    dependencies = (
        ("counters", "0006_missing"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    )
    operations = (
        migrations.AddField(
            model_name="partition",
            name="pruned",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunPython(open_books, migrations.RunPython.noop),
        migrations.RunPython(schedule, unschedule),
    )
