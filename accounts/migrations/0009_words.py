import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_one_form")]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                help_text="Of the e-mails to the user, such as en or ru; the default if empty.",
                max_length=20,
                verbose_name="language",
            ),
        ),
        migrations.AlterField(
            model_name="confirmation",
            name="asked_at",
            field=models.DateTimeField(
                db_index=True, default=django.utils.timezone.now, verbose_name="requested"
            ),
        ),
        migrations.AlterField(
            model_name="welcome",
            name="asked_at",
            field=models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested"),
        ),
        migrations.AlterField(
            model_name="welcome",
            name="due_at",
            field=models.DateTimeField(
                blank=True,
                db_index=True,
                default=django.utils.timezone.now,
                null=True,
                verbose_name="next attempt",
            ),
        ),
        migrations.AlterField(
            model_name="welcome",
            name="error",
            field=models.TextField(
                blank=True, help_text="Of the last attempt.", verbose_name="error"
            ),
        ),
        migrations.AlterField(
            model_name="welcome",
            name="tries",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="failed attempts"),
        ),
    ]
