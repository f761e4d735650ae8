"""Added entries of Celery beat. They are in `project/settings.py` now, and beat adds them itself."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("films", "0001_initial"),)
    operations = ()
