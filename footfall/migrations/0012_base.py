"""The base: views that are in no segment. What is in the rollups, but not in the store, begins it."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from footfall.sql import dialect
from footfall.store.builder import cut_segments
from footfall.store.read import verified
from footfall.store.segment import Corrupt, Events
from footfall.store.views import Summed

CHUNK_EVENTS, ROWS_PER_QUERY = 500_000, 16


def begin_base(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Rollups are base and store up to the position of `hourly`, whose rows are locked for it."""
    if schema_editor.connection.alias != "default":
        return
    projections = apps.get_model("counters", "Projection").objects
    hourly = projections.filter(name__startswith="hourly:").select_for_update()
    ends = {name.partition(":")[2]: end for name, end in hourly.values_list("name", "number")}
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("""
            INSERT INTO counters_base (content_type_id, target_id, hour, views)
            SELECT content_type_id, target_id, hour, views FROM counters_rollup
        """)
    subtract_stored(apps, ends)


def subtract_stored(apps: StateApps, ends: dict[str, int]) -> None:
    base = apps.get_model("counters", "Base")
    content_types = apps.get_model("contenttypes", "ContentType").objects
    kinds: dict[str, int] = defaultdict(int)
    for app, model, pk in content_types.values_list("app_label", "model", "pk"):
        kinds[f"{app}.{model}"] = pk
    for labels, summed in stored_views(apps, ends):
        for label in labels:
            rows = [
                (hour, -views, target)
                for hour, of_hour in sorted(summed.hours.get(label, {}).items())
                for target, views in sorted(of_hour.items())
            ]
            if rows and kinds[label]:
                dialect().add_hourly(base, kinds[label], list(zip(*rows, strict=True)))
    base.objects.filter(views=0).delete()


def stored_views(apps: StateApps, ends: dict[str, int]) -> Iterator[tuple[list[str], Summed]]:
    """Yield the views of every model up to its end, some at a time, and of which models."""
    segments = apps.get_model("counters", "Segment").objects.order_by("number")
    number = 0
    for end in sorted({*ends.values()}):
        labels = [label for label, its_end in ends.items() if its_end >= end]
        summed, events = Summed(), 0
        while page := list(segments.filter(number__gt=number, number__lte=end)[:ROWS_PER_QUERY]):
            for segment in page:
                if segment.corrupt_at is None:  # else no recount can read it: it stays in the base
                    with suppress(Corrupt):
                        summed.add(cut_segments(numbered(segment), number, end))
                        events += segment.events
                number = segment.number
            if events >= CHUNK_EVENTS:
                yield labels, summed
                summed, events = Summed(), 0
        yield labels, summed


def numbered(segment: Any) -> Events:
    """Return its events. A worker may have compacted it from others since those were read."""
    events = verified(segment)
    events.runs = [run._replace(number=run.number or segment.number) for run in events.runs]
    return events


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("counters", "0011_identity"),
    ]

    operations = [
        migrations.CreateModel(
            name="Recount",
            fields=[
                (
                    "label",
                    models.CharField(
                        max_length=100, primary_key=True, serialize=False, verbose_name="model"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("audit", "Audit"),
                            ("adopt", "Adopt"),
                            ("totals", "Totals"),
                            ("hourly", "Hourly"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("token", models.BigIntegerField()),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("clear", "Clear"),
                            ("base", "Base"),
                            ("events", "Events"),
                            ("done", "Done"),
                        ],
                        default="clear",
                        max_length=10,
                        verbose_name="stage",
                    ),
                ),
                ("cursor", models.BigIntegerField(default=-1)),
                ("since", models.DateTimeField(null=True)),
                ("number", models.BigIntegerField()),
                ("key", models.BigIntegerField()),
                ("events", models.BigIntegerField()),
                ("boundary_number", models.BigIntegerField()),
                ("boundary_key", models.BigIntegerField()),
                ("boundary_events", models.BigIntegerField(verbose_name="events to count")),
                ("corrupt", models.JSONField(default=list)),
                ("is_lost", models.BooleanField(default=False)),
                ("changed", models.BigIntegerField(default=0, verbose_name="corrected")),
                ("before", models.BigIntegerField(default=0)),
                ("after", models.BigIntegerField(default=0)),
                ("left", models.BigIntegerField(default=0)),
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
                ("epoch", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "recount",
                "verbose_name_plural": "recounts",
            },
        ),
        migrations.AddField(
            model_name="projection",
            name="counted_before",
            field=models.CharField(
                blank=True,
                choices=[("", "Not Looked"), ("no", "No"), ("yes", "Yes"), ("unknown", "Unknown")],
                db_default="unknown",
                default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="segment",
            name="epoch",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="epoch"),
        ),
        migrations.AddField(
            model_name="storehead",
            name="discarded",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="storehead",
            name="removed_events",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="storehead",
            name="removed_key",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="storehead",
            name="removed_number",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="Base",
            fields=[
                ("target_id", models.BigIntegerField(verbose_name="id")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "target_id",
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
                "verbose_name": "views in the base",
                "verbose_name_plural": "views in the base",
            },
        ),
        migrations.CreateModel(
            name="Recounted",
            fields=[
                ("target_id", models.BigIntegerField(verbose_name="id")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "content_type_id",
                        "target_id",
                        "hour",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("views", models.BigIntegerField()),
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
                "verbose_name": "recounted views",
                "verbose_name_plural": "recounted views",
            },
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="at"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("repair", "repair"),
                            ("rebuild", "rebuild"),
                            ("adopt", "adopt"),
                            ("discard", "discard"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("label", models.CharField(blank=True, max_length=100, verbose_name="model")),
                ("target_id", models.BigIntegerField(null=True, verbose_name="id")),
                ("before", models.BigIntegerField(verbose_name="before")),
                ("after", models.BigIntegerField(verbose_name="after")),
                ("text", models.TextField(verbose_name="text")),
                (
                    "audit",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="counters.audit",
                        verbose_name="audit",
                    ),
                ),
            ],
            options={
                "verbose_name": "correction",
                "verbose_name_plural": "corrections",
                "indexes": [models.Index(fields=["label", "target_id"], name="counters_corrected")],
            },
        ),
        migrations.RunPython(begin_base, migrations.RunPython.noop),
    ]
