"""Counters that are kept beside their models, and copies of them in other databases."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("counters", "0018_policies"),
    ]

    operations = [
        migrations.CreateModel(
            name="CounterCopy",
            fields=[
                (
                    "label",
                    models.CharField(
                        max_length=100, primary_key=True, serialize=False, verbose_name="model"
                    ),
                ),
                ("changes", models.BigIntegerField(default=-1)),
                ("number", models.BigIntegerField(default=0)),
                ("key", models.BigIntegerField(default=0)),
                ("events", models.BigIntegerField(default=0, verbose_name="events")),
                ("left", models.JSONField(default=list)),
                ("moved_at", models.DateTimeField(null=True, verbose_name="moved at")),
            ],
            options={
                "verbose_name": "copy of counters",
                "verbose_name_plural": "copies of counters",
            },
        ),
        migrations.AddField(
            model_name="projection",
            name="changes",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="KeptCounter",
            fields=[
                ("target_id", models.BigIntegerField(verbose_name="id")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "target_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=255, null=True, verbose_name="key")),
                ("counter", models.PositiveBigIntegerField(default=0, verbose_name="views")),
                ("changes", models.BigIntegerField(db_default=0, default=0)),
                (
                    "content_type",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="contenttypes.contenttype",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "counter that is kept here",
                "verbose_name_plural": "counters that are kept here",
                "indexes": [
                    models.Index(fields=["content_type", "name"], name="counters_kept_name")
                ],
            },
        ),
    ]
