import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("uploads", "0002_schedule")]

    operations = [
        migrations.AlterField(
            "file",
            "name",
            models.CharField(
                help_text="As sent by the client.", max_length=255, verbose_name="name"
            ),
        ),
        migrations.AlterField(
            "file",
            "content_type",
            models.CharField(
                help_text="Detected from the content.", max_length=127, verbose_name="content type"
            ),
        ),
        migrations.AlterField(
            "file",
            "due_at",
            models.DateTimeField(
                blank=True,
                default=django.utils.timezone.now,
                help_text="When its event is to be published; empty if it was.",
                null=True,
                verbose_name="due",
            ),
        ),
        migrations.AlterField(
            "file",
            "entry_id",
            models.CharField(
                blank=True,
                help_text="Id of its event in the queue.",
                max_length=40,
                verbose_name="entry",
            ),
        ),
        migrations.AlterField(
            "file",
            "claim",
            models.UUIDField(
                blank=True,
                help_text="Id of the attempt that is processing it.",
                null=True,
                verbose_name="claim",
            ),
        ),
    ]
