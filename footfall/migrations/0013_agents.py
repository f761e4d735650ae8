import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counters", "0012_base"),
    ]

    operations = [
        migrations.CreateModel(
            name="AgentCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.BigIntegerField(default=0)),
                ("key", models.BigIntegerField(default=0)),
                ("events", models.BigIntegerField(default=0)),
                (
                    "without",
                    models.BigIntegerField(default=0, verbose_name="views without an agent"),
                ),
                ("counted_at", models.DateTimeField(null=True, verbose_name="counted at")),
            ],
            options={
                "verbose_name": "count of agents",
                "verbose_name_plural": "count of agents",
            },
        ),
        migrations.CreateModel(
            name="Salt",
            fields=[
                (
                    "day",
                    models.DateField(primary_key=True, serialize=False, verbose_name="first day"),
                ),
                ("value", models.BinaryField()),
            ],
            options={
                "verbose_name": "salt",
                "verbose_name_plural": "salts",
            },
        ),
        migrations.CreateModel(
            name="Agent",
            fields=[
                (
                    "hash",
                    models.BigIntegerField(primary_key=True, serialize=False, verbose_name="hash"),
                ),
                ("string", models.CharField(blank=True, max_length=256, verbose_name="user agent")),
                (
                    "how",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "plain"),
                            (1, "prefetch, by its headers"),
                            (2, "monitor, by its address"),
                        ],
                        db_default=0,
                        default=0,
                        verbose_name="how it came",
                    ),
                ),
                (
                    "kind",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "unknown"),
                            (1, "person"),
                            (2, "robot"),
                            (3, "prefetch"),
                            (4, "monitor"),
                            (5, "library"),
                        ],
                        db_default=0,
                        default=0,
                        verbose_name="kind",
                    ),
                ),
                (
                    "first_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="first seen",
                    ),
                ),
                ("first_epoch", models.BigIntegerField(db_default=0)),
                ("views", models.BigIntegerField(db_default=0, default=0, verbose_name="views")),
                ("last_at", models.DateTimeField(null=True, verbose_name="last seen")),
            ],
            options={
                "verbose_name": "agent",
                "verbose_name_plural": "agents",
                "indexes": [
                    models.Index(fields=["first_epoch"], name="counters_agent_epoch"),
                    models.Index(fields=["views"], name="counters_agent_views"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AgentRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "match",
                    models.CharField(
                        choices=[
                            ("exact", "user agent, exactly"),
                            ("pattern", "user agent, with * for any characters"),
                            ("addresses", "address range of own monitors"),
                        ],
                        max_length=10,
                        verbose_name="what is compared",
                    ),
                ),
                ("value", models.CharField(max_length=256, verbose_name="value")),
                (
                    "kind",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "unknown"),
                            (1, "person"),
                            (2, "robot"),
                            (3, "prefetch"),
                            (4, "monitor"),
                            (5, "library"),
                        ],
                        verbose_name="kind",
                    ),
                ),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="at")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "rule for agents",
                "verbose_name_plural": "rules for agents",
            },
        ),
    ]
