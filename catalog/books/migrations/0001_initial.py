from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import catalog.books.rules
import footfall.fields


def tune_postgresql(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave room in each block for the new version of a row: a view then touches no index."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE books_book SET (fillfactor = 70)")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Book",
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
                ("author", models.CharField(max_length=200, verbose_name="author")),
                (
                    "year",
                    models.PositiveSmallIntegerField(
                        validators=[catalog.books.rules.check_year], verbose_name="year"
                    ),
                ),
                (
                    "isbn",
                    models.CharField(
                        help_text="ISBN-10 or ISBN-13; kept as ISBN-13 without hyphens.",
                        max_length=13,
                        unique=True,
                        verbose_name="ISBN",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="updated")),
            ],
            options={
                "verbose_name": "book",
                "verbose_name_plural": "books",
                "indexes": [
                    models.Index(fields=["title"], name="books_book_title"),
                    models.Index(fields=["author"], name="books_book_author"),
                    models.Index(fields=["year"], name="books_book_year"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("year__gte", 1)), name="books_book_year_min"
                    )
                ],
            },
        ),
        migrations.RunPython(tune_postgresql, migrations.RunPython.noop),
    ]
