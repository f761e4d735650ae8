"""An audit is requested, as everything else in Django's admin is."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("counters", "0009_words"),
    ]

    operations = [
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
                blank=True,
                null=True,
                on_delete=models.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="requested by",
            ),
        ),
        migrations.AlterField(
            "audit", "lines", models.JSONField(default=list, verbose_name="findings")
        ),
    ]
