"""Added entries of Celery beat. They are in `footfall/schedule.py` now, and beat adds them itself."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("counters", "0001_initial"),)
    operations = ()
