import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import footfall.fields


def tune_postgresql(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Arrange the two tables with a counter for many updates and for searches by title."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in ("pages_page", "pages_content"):
        # Room in each block for the new version of a row: a counter's update then touches no index.
        schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
        # What `title__istartswith` asks for, in whatever collation the database has.
        schema_editor.execute(
            f"CREATE INDEX {table}_title_start ON {table} (UPPER(title) text_pattern_ops)"
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Content",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "counter",
                    footfall.fields.CounterField(default=0, editable=False, verbose_name="views"),
                ),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated")),
            ],
            options={
                "verbose_name": "content",
                "verbose_name_plural": "contents",
            },
        ),
        migrations.CreateModel(
            name="Page",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "counter",
                    footfall.fields.CounterField(default=0, editable=False, verbose_name="views"),
                ),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated")),
            ],
            options={
                "verbose_name": "page",
                "verbose_name_plural": "pages",
            },
        ),
        migrations.CreateModel(
            name="PageContent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField(default=0, verbose_name="position")),
            ],
            options={
                "verbose_name": "content on the page",
                "verbose_name_plural": "contents on the page",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Audio",
            fields=[
                (
                    "content_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="pages.content",
                    ),
                ),
                (
                    "bitrate",
                    models.PositiveIntegerField(
                        help_text="Bits per second.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="bit rate",
                    ),
                ),
            ],
            options={
                "verbose_name": "audio",
                "verbose_name_plural": "audios",
            },
            bases=("pages.content",),
        ),
        migrations.CreateModel(
            name="Text",
            fields=[
                (
                    "content_ptr",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        related_name="as_text",
                        serialize=False,
                        to="pages.content",
                    ),
                ),
                ("text", models.TextField(verbose_name="text")),
            ],
            options={
                "verbose_name": "text",
                "verbose_name_plural": "texts",
            },
            bases=("pages.content",),
        ),
        migrations.CreateModel(
            name="Video",
            fields=[
                (
                    "content_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="pages.content",
                    ),
                ),
                ("video_url", models.URLField(max_length=500, verbose_name="video")),
                (
                    "subtitles_url",
                    models.URLField(blank=True, max_length=500, verbose_name="subtitles"),
                ),
            ],
            options={
                "verbose_name": "video",
                "verbose_name_plural": "videos",
            },
            bases=("pages.content",),
        ),
        migrations.AddIndex(
            model_name="content",
            index=models.Index(fields=["title"], name="pages_content_title"),
        ),
        migrations.AddIndex(
            model_name="page",
            index=models.Index(fields=["title"], name="pages_page_title"),
        ),
        migrations.AddField(
            model_name="pagecontent",
            name="content",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="places",
                to="pages.content",
                verbose_name="content",
            ),
        ),
        migrations.AddField(
            model_name="pagecontent",
            name="page",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="places",
                to="pages.page",
                verbose_name="page",
            ),
        ),
        migrations.RunPython(tune_postgresql, migrations.RunPython.noop),
    ]
