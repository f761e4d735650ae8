"""Expired sessions are removed."""

import importlib
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from accounts import tasks
from project.celery import app

pytestmark = pytest.mark.django_db
schedule = importlib.import_module("accounts.migrations.0005_sessions")


def test_sessions_that_have_ended_go() -> None:
    for key, hours in (("ended", -1), ("lasting", 1)):
        expires = timezone.now() + timedelta(hours=hours)
        Session.objects.create(session_key=key, session_data="", expire_date=expires)

    tasks.clear_sessions()

    assert Session.objects.get().session_key == "lasting"


def test_that_is_scheduled() -> None:
    schedule.schedule(apps, None)
    assert PeriodicTask.objects.get(task="accounts.clear_sessions").task in app.tasks
    schedule.unschedule(apps, None)
    assert not PeriodicTask.objects.filter(task="accounts.clear_sessions").exists()
