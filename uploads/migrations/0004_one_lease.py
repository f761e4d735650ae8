"""The lease is in the row alone; who sent a file, how long it is kept, and repeated requests.

Workers and web servers of the version before go on meanwhile. They write no `entry_id` of the new
ones and need none; the column stays for them, and is no longer in the model.
"""

import django.db.models.deletion
from django.db import migrations, models

KEY = (
    "id",
    models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID"),
)


class Migration(migrations.Migration):
    dependencies = (("uploads", "0003_help_texts"),)
    operations = (
        migrations.AddField(
            "file",
            "sender",
            models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="The account, or a keyed hash of the address: files are processed in "
                "turns.",
                max_length=40,
                verbose_name="sender",
            ),
        ),
        migrations.AddField(
            "file",
            "epoch",
            models.IntegerField(
                blank=True,
                help_text="Hours that the service had run when it was first seen; for its expiry.",
                null=True,
                verbose_name="epoch",
            ),
        ),
        migrations.AddField(
            "file",
            "outages",
            models.PositiveIntegerField(
                db_default=0,
                help_text="How often it has waited for a storage that was away; these are no "
                "attempts.",
                verbose_name="outages",
            ),
        ),
        migrations.AddField(
            "file",
            "dead_reason",
            models.CharField(
                blank=True,
                db_default="",
                help_text="Why it was given up. Empty once staff have decided about it.",
                max_length=500,
                verbose_name="reason of the dead letter",
            ),
        ),
        migrations.AddField(
            "file",
            "is_slow",
            models.BooleanField(
                db_default=False,
                help_text="It took too long for a short attempt.",
                verbose_name="slow",
            ),
        ),
        migrations.AlterField(
            "file",
            "due_at",
            models.DateTimeField(
                blank=True,
                help_text="When its next attempt may begin; empty: at once.",
                null=True,
                verbose_name="due",
            ),
        ),
        migrations.AlterField(
            "file",
            "claimed_at",
            models.DateTimeField(
                blank=True,
                help_text="Written again and again by the worker that is processing it.",
                null=True,
                verbose_name="heartbeat",
            ),
        ),
        migrations.AlterField(
            "file",
            "entry_id",
            models.CharField(blank=True, db_default="", max_length=40, verbose_name="entry"),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("file", "entry_id")]
        ),
        migrations.CreateModel(
            "Sender",
            [
                KEY,
                (
                    "key",
                    models.CharField(help_text="As in `File.sender`.", max_length=40, unique=True),
                ),
                (
                    "spent",
                    models.FloatField(
                        default=0.0, help_text="In seconds, on the scale that all share."
                    ),
                ),
                (
                    "started",
                    models.FloatField(
                        db_index=True, default=0.0, help_text="`spent` at its last turn."
                    ),
                ),
                (
                    "slow",
                    models.PositiveIntegerField(
                        default=0, help_text="How many slow files in a row it sent."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            "UploadKey",
            [
                KEY,
                (
                    "digest",
                    models.CharField(
                        help_text="Of the client and the key.", max_length=64, unique=True
                    ),
                ),
                ("epoch", models.IntegerField(db_index=True)),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="uploads.file",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            "Orphan",
            [
                KEY,
                (
                    "name",
                    models.CharField(
                        help_text="Its path in the storage.", max_length=200, unique=True
                    ),
                ),
                ("epoch", models.IntegerField(help_text="When it was first found.")),
                (
                    "seen",
                    models.PositiveIntegerField(
                        default=0, help_text="How many comparisons found it."
                    ),
                ),
            ],
        ),
    )
