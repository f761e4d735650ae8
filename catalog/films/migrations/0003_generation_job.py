"""Renames the model Generation to GenerationJob. Its table keeps its name: older servers use it."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def rename_permissions(apps: StateApps, old: str, new: str, name: str) -> None:
    """Rename codenames, so that groups and users keep their permissions."""
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="films"
    )
    for verb in ("add", "change", "delete", "view"):
        if not permissions.filter(codename=f"{verb}_{new}").exists():
            renamed = permissions.filter(codename=f"{verb}_{old}")
            renamed.update(codename=f"{verb}_{new}", name=f"Can {verb} {name}")


def forwards(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rename_permissions(apps, "generation", "generationjob", "generation job")


def backwards(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rename_permissions(apps, "generationjob", "generation", "generation")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("films", "0002_schedule"),
    ]

    operations = [
        migrations.AlterModelTable("generation", "films_generation"),
        migrations.RenameModel("Generation", "GenerationJob"),
        migrations.AlterModelOptions(
            "generationjob",
            {"verbose_name": "generation job", "verbose_name_plural": "generation jobs"},
        ),
        migrations.RunPython(forwards, backwards),
    ]
