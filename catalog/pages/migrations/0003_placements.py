import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pages", "0002_demonstration")]

    operations = [
        migrations.AlterField(
            model_name="pagecontent",
            name="page",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="placements",
                to="pages.page",
                verbose_name="page",
            ),
        ),
        migrations.AlterField(
            model_name="pagecontent",
            name="content",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="placements",
                to="pages.content",
                verbose_name="content",
            ),
        ),
    ]
