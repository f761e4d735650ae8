import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.emails.addresses
import accounts.usernames


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_sessions"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Confirmation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("username", models.CharField(blank=True, max_length=150, verbose_name="username")),
                ("skeleton", models.CharField(max_length=450, null=True, unique=True)),
                ("email", models.EmailField(max_length=254, verbose_name="email address")),
                ("password", models.CharField(blank=True, max_length=128, verbose_name="password")),
                ("language", models.CharField(blank=True, max_length=20, verbose_name="language")),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, verbose_name="asked for"
                    ),
                ),
            ],
            options={
                "verbose_name": "confirmation",
                "verbose_name_plural": "confirmations",
            },
        ),
        migrations.AddField(
            model_name="user",
            name="skeleton",
            field=models.CharField(editable=False, max_length=450, null=True),
        ),
        migrations.AlterField(
            model_name="user",
            name="email",
            field=models.EmailField(
                max_length=254,
                validators=[accounts.emails.addresses.validate_address],
                verbose_name="email address",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="username",
            field=models.CharField(
                error_messages={"unique": "A user with that username already exists."},
                help_text="150 characters or fewer: letters, digits and ./+/-/_ only.",
                max_length=150,
                unique=True,
                validators=[accounts.usernames.validate_username],
                verbose_name="username",
            ),
        ),
        migrations.AddField(
            model_name="confirmation",
            name="user",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="confirmation",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
    ]
