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
    ]
