"""Another index of the keys: PostgreSQL took the old one in the place of the primary key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counters", "0019_kept"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="keptcounter", name="counters_kept_name"),
        migrations.AddIndex(
            model_name="keptcounter",
            index=models.Index(fields=["name"], name="counters_kept_key"),
        ),
    ]
