"""By which policy counters are counted, until now all by every view; and visits by window."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
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
        migrations.AddField(
            model_name="recount",
            name="policy",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.CreateModel(
            name="Uncounted",
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
                ("views", models.BigIntegerField(verbose_name="views")),
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
                "verbose_name": "views in the base that are not counted",
                "verbose_name_plural": "views in the base that are not counted",
            },
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                ("target_id", models.BigIntegerField(verbose_name="id")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "beside",
                        "target_id",
                        "window",
                        "visitor",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("beside", models.BooleanField(default=False)),
                ("window", models.BigIntegerField()),
                ("visitor", models.BigIntegerField()),
                ("times", models.BigIntegerField()),
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
                "verbose_name": "visits in a window",
                "verbose_name_plural": "visits by window",
            },
        ),
        migrations.CreateModel(
            name="VisitWindow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "window",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("window", models.BigIntegerField()),
                ("epoch", models.BigIntegerField()),
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
                "verbose_name": "window of visits",
                "verbose_name_plural": "windows of visits",
            },
        ),
    ]
