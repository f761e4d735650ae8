import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("counters", "0002_schedule"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Audit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("asked_at", models.DateTimeField(auto_now_add=True, verbose_name="asked for at")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                (
                    "differences",
                    models.PositiveIntegerField(default=0, verbose_name="counters that differ"),
                ),
                ("broken", models.PositiveIntegerField(default=0, verbose_name="broken positions")),
                ("repaired", models.BooleanField(default=False, verbose_name="repaired")),
                ("lines", models.JSONField(default=list, verbose_name="what was found")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
            ],
            options={
                "verbose_name": "audit",
                "verbose_name_plural": "audits",
            },
        ),
        migrations.CreateModel(
            name="HourTotal",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "hour",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("hour", models.DateTimeField(verbose_name="hour")),
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
                "verbose_name": "views of all in an hour",
                "verbose_name_plural": "views of all by hour",
            },
        ),
        migrations.CreateModel(
            name="Ranking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("window", models.CharField(max_length=10, verbose_name="window")),
                ("computed_at", models.DateTimeField(null=True, verbose_name="computed at")),
                ("seconds", models.FloatField(default=0, verbose_name="seconds")),
                ("ranked", models.JSONField(default=list, verbose_name="most viewed")),
                (
                    "content_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="contenttypes.contenttype",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "ranking",
                "verbose_name_plural": "rankings",
            },
        ),
        migrations.CreateModel(
            name="Dashboard",
            fields=[],
            options={
                "verbose_name": "dashboard",
                "verbose_name_plural": "dashboard",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("counters.partition",),
        ),
        migrations.AddIndex(
            model_name="rollup",
            index=models.Index(fields=["content_type", "hour"], name="counters_rollup_hour"),
        ),
        migrations.AddConstraint(
            model_name="ranking",
            constraint=models.UniqueConstraint(
                fields=("content_type", "window"), name="counters_ranking_one"
            ),
        ),
    ]
