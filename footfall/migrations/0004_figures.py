"""The hours before this migration get their totals."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Sum


def add_up(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rollups = apps.get_model("counters", "Rollup").objects
    total = apps.get_model("counters", "HourTotal")
    sums = rollups.order_by().values("content_type_id", "hour").annotate(views=Sum("views"))
    total.objects.bulk_create((total(**one) for one in sums.iterator()), batch_size=1000)


class Migration(migrations.Migration):
    dependencies = (("counters", "0003_dashboard"),)
    operations = (migrations.RunPython(add_up, migrations.RunPython.noop),)
