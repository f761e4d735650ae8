from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("counters", "0012_base")]

    operations = [
        migrations.CreateModel(
            name="ClientKey",
            fields=[
                (
                    "hash",
                    models.UUIDField(primary_key=True, serialize=False, verbose_name="key"),
                ),
                ("until", models.BigIntegerField(db_index=True, verbose_name="until")),
            ],
            options={
                "verbose_name": "key of a client",
                "verbose_name_plural": "keys of clients",
            },
        ),
    ]
