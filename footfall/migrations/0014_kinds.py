"""Views by the kind of agent that has made them. What was counted before is of unknown kind.

The new columns of views have no default in the database. So an old web server goes on reading, and
an old flush fails rather than counting without kinds.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counters", "0013_agents"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeptKind",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "agent",
                        "before",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("agent", models.BigIntegerField()),
                ("before", models.BigIntegerField()),
                ("kind", models.PositiveSmallIntegerField()),
            ],
            options={
                "verbose_name": "kind that is kept",
                "verbose_name_plural": "kinds that are kept",
            },
        ),
        migrations.CreateModel(
            name="Reclassification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.BigIntegerField(unique=True)),
                ("since", models.DateTimeField(null=True, verbose_name="since")),
                ("agents", models.BigIntegerField(default=0, verbose_name="agents")),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="started at",
                    ),
                ),
                (
                    "touched_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("token", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "reclassification",
                "verbose_name_plural": "reclassifications",
            },
        ),
        migrations.AddField(
            model_name="base",
            name="library",
            field=models.BigIntegerField(default=0, verbose_name="libraries"),
        ),
        migrations.AddField(
            model_name="base",
            name="monitor",
            field=models.BigIntegerField(default=0, verbose_name="monitors"),
        ),
        migrations.AddField(
            model_name="base",
            name="person",
            field=models.BigIntegerField(default=0, verbose_name="people"),
        ),
        migrations.AddField(
            model_name="base",
            name="prefetch",
            field=models.BigIntegerField(default=0, verbose_name="prefetches"),
        ),
        migrations.AddField(
            model_name="base",
            name="robot",
            field=models.BigIntegerField(default=0, verbose_name="robots"),
        ),
        migrations.AddField(
            model_name="hourtotal",
            name="library",
            field=models.BigIntegerField(default=0, verbose_name="libraries"),
        ),
        migrations.AddField(
            model_name="hourtotal",
            name="monitor",
            field=models.BigIntegerField(default=0, verbose_name="monitors"),
        ),
        migrations.AddField(
            model_name="hourtotal",
            name="person",
            field=models.BigIntegerField(default=0, verbose_name="people"),
        ),
        migrations.AddField(
            model_name="hourtotal",
            name="prefetch",
            field=models.BigIntegerField(default=0, verbose_name="prefetches"),
        ),
        migrations.AddField(
            model_name="hourtotal",
            name="robot",
            field=models.BigIntegerField(default=0, verbose_name="robots"),
        ),
        migrations.AddField(
            model_name="projection",
            name="verdicts",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="recount",
            name="verdicts",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="recounted",
            name="library",
            field=models.BigIntegerField(default=0, verbose_name="libraries"),
        ),
        migrations.AddField(
            model_name="recounted",
            name="monitor",
            field=models.BigIntegerField(default=0, verbose_name="monitors"),
        ),
        migrations.AddField(
            model_name="recounted",
            name="person",
            field=models.BigIntegerField(default=0, verbose_name="people"),
        ),
        migrations.AddField(
            model_name="recounted",
            name="prefetch",
            field=models.BigIntegerField(default=0, verbose_name="prefetches"),
        ),
        migrations.AddField(
            model_name="recounted",
            name="robot",
            field=models.BigIntegerField(default=0, verbose_name="robots"),
        ),
        migrations.AddField(
            model_name="rollup",
            name="library",
            field=models.BigIntegerField(default=0, verbose_name="libraries"),
        ),
        migrations.AddField(
            model_name="rollup",
            name="monitor",
            field=models.BigIntegerField(default=0, verbose_name="monitors"),
        ),
        migrations.AddField(
            model_name="rollup",
            name="person",
            field=models.BigIntegerField(default=0, verbose_name="people"),
        ),
        migrations.AddField(
            model_name="rollup",
            name="prefetch",
            field=models.BigIntegerField(default=0, verbose_name="prefetches"),
        ),
        migrations.AddField(
            model_name="rollup",
            name="robot",
            field=models.BigIntegerField(default=0, verbose_name="robots"),
        ),
        migrations.AlterField(
            model_name="correction",
            name="kind",
            field=models.CharField(
                choices=[
                    ("repair", "repair"),
                    ("rebuild", "rebuild"),
                    ("adopt", "adopt"),
                    ("discard", "discard"),
                    ("reclassify", "reclassify"),
                ],
                max_length=10,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="recounted",
            name="views",
            field=models.BigIntegerField(verbose_name="views"),
        ),
        migrations.CreateModel(
            name="ReclassifiedAgent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("agent", models.BigIntegerField(verbose_name="agent")),
                ("before", models.JSONField(verbose_name="before")),
                ("after", models.JSONField(verbose_name="after")),
                (
                    "reclassification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changed",
                        to="counters.reclassification",
                    ),
                ),
            ],
            options={
                "verbose_name": "reclassified agent",
                "verbose_name_plural": "reclassified agents",
            },
        ),
        migrations.CreateModel(
            name="Correcting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=100, verbose_name="model")),
                ("number", models.BigIntegerField()),
                ("key", models.BigIntegerField()),
                ("events", models.BigIntegerField(verbose_name="events")),
                ("boundary_number", models.BigIntegerField()),
                ("boundary_key", models.BigIntegerField()),
                ("boundary_events", models.BigIntegerField(verbose_name="events to correct")),
                ("moved", models.JSONField(default=dict, verbose_name="views from kind to kind")),
                (
                    "corrupt",
                    models.JSONField(default=list, verbose_name="segments that could not be read"),
                ),
                ("left", models.BigIntegerField(default=0)),
                ("is_lost", models.BooleanField(default=False)),
                ("done", models.BooleanField(default=False, verbose_name="done")),
                (
                    "reclassification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="counters.reclassification",
                    ),
                ),
            ],
            options={
                "verbose_name": "part of a reclassification",
                "verbose_name_plural": "parts of reclassifications",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reclassification", "label"), name="counters_correcting_one"
                    )
                ],
            },
        ),
    ]
