"""Expired sessions are removed."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import tasks
from tests.support.schedule import scheduled

pytestmark = pytest.mark.django_db


def test_sessions_that_have_ended_go() -> None:
    for key, hours in (("ended", -1), ("lasting", 1)):
        expires = timezone.now() + timedelta(hours=hours)
        Session.objects.create(session_key=key, session_data="", expire_date=expires)

    tasks.clear_sessions()

    assert Session.objects.get().session_key == "lasting"


def test_that_is_scheduled() -> None:
    assert str(scheduled("accounts.clear_sessions").interval) == "every day"
