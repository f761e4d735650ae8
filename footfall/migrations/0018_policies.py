"""By which policy the counters of each model are counted: until now all by every view."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counters", "0017_bursts"),
    ]

    operations = [
        migrations.AddField(
            model_name="projection",
            name="policy",
            field=models.CharField(
                blank=True, db_default="everything", default="everything", max_length=100
            ),
        ),
    ]
