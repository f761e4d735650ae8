"""The upgrade of a database in which generation jobs were called generations."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalog.films.models import GenerationJob

OLD = ("films", "0002_schedule")


@pytest.mark.django_db(transaction=True)
def test_jobs_and_permissions_are_kept() -> None:
    call_command("migrate", *OLD, verbosity=0)
    try:
        old = MigrationExecutor(connection).loader.project_state([OLD]).apps
        old.get_model("films", "Generation").objects.create(kind="films", total=5)
        group = Group.objects.create(name="editors")
        group.permissions.set(Permission.objects.filter(codename="view_generation"))
    finally:
        call_command("migrate", "films", verbosity=0)

    assert GenerationJob.objects.get().total == 5
    (permission,) = group.permissions.all()
    assert (permission.codename, permission.content_type.model) == (
        "view_generationjob",
        "generationjob",
    )
    assert not Permission.objects.filter(codename__endswith="_generation").exists()
