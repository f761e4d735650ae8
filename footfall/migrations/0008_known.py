from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counters", "0007_ledger"),
    ]

    operations = [
        migrations.AddField(
            model_name="partition",
            name="known_since",
            field=models.DateTimeField(null=True),
        ),
    ]
