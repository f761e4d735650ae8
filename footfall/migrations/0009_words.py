"""The tables and columns get the names that the code has: producer states, offsets, dead letters."""

from collections.abc import Mapping

from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

REASONS = {
    "seen before": "already_counted",
    "counted from the log": "counted_from_log",
    "counted from the spill": "counted_from_spill",
    "set aside": "dead_letter",
    "target deleted": "target_deleted",
}


def rename_reasons(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rename_keys(apps, REASONS)


def rename_reasons_back(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rename_keys(apps, {new: old for old, new in REASONS.items()})


def rename_keys(apps: StateApps, names: Mapping[str, str]) -> None:
    """Rename the reasons for which the kept batches dropped events: few have dropped any."""
    for batch in apps.get_model("counters", "Batch").objects.exclude(dropped={}).iterator():
        batch.dropped = {names.get(reason, reason): n for reason, n in batch.dropped.items()}
        batch.save(update_fields=["dropped"])


def rename_permissions(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Groups and users keep what they may do with dead letters."""
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="counters"
    )
    for permission in permissions.filter(codename__endswith="_setaside"):
        verb = permission.codename.removesuffix("_setaside")
        if permissions.filter(codename=f"{verb}_deadletter").exists():
            continue
        permission.codename = f"{verb}_deadletter"
        permission.name = f"Can {verb} dead letter"
        permission.save()


def rename_permissions_back(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="counters"
    )
    for permission in permissions.filter(codename__endswith="_deadletter"):
        verb = permission.codename.removesuffix("_deadletter")
        if permissions.filter(codename=f"{verb}_setaside").exists():
            continue
        permission.codename = f"{verb}_setaside"
        permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("counters", "0008_known"),
    ]

    operations = [
        # RenameField does not know that a composite primary key names the field.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE counters_mark RENAME TO counters_producerstate",
                    "ALTER TABLE counters_producerstate RENAME TO counters_mark",
                ),
                migrations.RunSQL(
                    "ALTER TABLE counters_producerstate RENAME COLUMN session TO producer_id",
                    "ALTER TABLE counters_producerstate RENAME COLUMN producer_id TO session",
                ),
                migrations.RunSQL(
                    "ALTER TABLE counters_producerstate RENAME COLUMN seq TO sequence",
                    "ALTER TABLE counters_producerstate RENAME COLUMN sequence TO seq",
                ),
            ],
            state_operations=[
                migrations.DeleteModel("Mark"),
                migrations.CreateModel(
                    name="ProducerState",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "producer_id",
                                "partition",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("producer_id", models.BigIntegerField()),
                        ("partition", models.PositiveSmallIntegerField()),
                        ("sequence", models.BigIntegerField()),
                        ("spilled", models.BigIntegerField(null=True)),
                        ("updated_at", models.DateTimeField()),
                    ],
                    options={
                        "verbose_name": "producer state",
                        "verbose_name_plural": "producer states",
                    },
                ),
            ],
        ),
        migrations.RenameField("partition", "session", "producer_id"),
        migrations.RenameField("partition", "seq", "sequence"),
        migrations.RenameField("partition", "ordinal", "offset"),
        migrations.RenameField("partition", "known_since", "states_since"),
        migrations.RenameField("spilled", "session", "producer_id"),
        migrations.RenameField("spilled", "seq", "sequence"),
        migrations.RenameModel("Stale", "Invalidation"),
        migrations.RenameField("invalidation", "counter", "counter_lowered"),
        migrations.AlterModelOptions(
            "invalidation",
            {"verbose_name": "invalidation", "verbose_name_plural": "invalidations"},
        ),
        migrations.RemoveConstraint("setaside", "counters_set_aside_once"),
        migrations.RenameModel("SetAside", "DeadLetter"),
        migrations.RenameField("deadletter", "set_aside_at", "created_at"),
        migrations.AlterField(
            "deadletter",
            "created_at",
            models.DateTimeField(auto_now_add=True, verbose_name="created at"),
        ),
        migrations.AlterModelOptions(
            "deadletter",
            {"verbose_name": "dead letter", "verbose_name_plural": "dead letters"},
        ),
        migrations.AddConstraint(
            "deadletter",
            models.UniqueConstraint(
                fields=("partition", "entry_id"), name="counters_dead_letter_once"
            ),
        ),
        migrations.RenameField("audit", "asked_at", "requested_at"),
        migrations.RenameField("audit", "asked_by", "requested_by"),
        migrations.AlterField(
            "audit",
            "requested_at",
            models.DateTimeField(auto_now_add=True, verbose_name="requested at"),
        ),
        migrations.AlterField(
            "audit",
            "requested_by",
            models.ForeignKey(
                settings.AUTH_USER_MODEL,
                models.SET_NULL,
                null=True,
                blank=True,
                related_name="+",
                verbose_name="requested by",
            ),
        ),
        migrations.AlterField(
            "audit", "lines", models.JSONField(default=list, verbose_name="findings")
        ),
        migrations.RunPython(rename_permissions, rename_permissions_back),
        migrations.RunPython(rename_reasons, rename_reasons_back),
    ]
