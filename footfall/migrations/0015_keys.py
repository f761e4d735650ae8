from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("counters", "0014_kinds")]

    operations = [
        # Without a default in the database: a flusher of the version before, which would count
        # repeated events, fails. Events wait until it is restarted.
        migrations.AddField(
            "segment",
            "keyed",
            models.PositiveIntegerField(default=0, verbose_name="with the key of a client"),
        ),
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
