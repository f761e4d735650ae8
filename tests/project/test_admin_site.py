"""The index of the admin is grouped by what people do."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory

from tests.support.people import make_user

pytestmark = pytest.mark.django_db


def test_every_model_is_in_one_group(rf: RequestFactory) -> None:
    request = rf.get("/admin/")
    request.user = make_user(is_staff=True, is_superuser=True)
    groups = {str(group["name"]): group["models"] for group in admin.site.get_app_list(request)}
    # Quotes are a type of content that only the tests have, so in none of the groups.
    assert list(groups) == ["Content", "Counting", "People", "Service", "Quotes"]
    models = [model["model"] for group in groups.values() for model in group]
    assert sorted(models, key=str) == sorted(admin.site._registry, key=str)
    firsts = [str(group[0]["name"]) for group in groups.values()]
    assert firsts[:4] == ["Pages", "Dashboard", "Users", "Log entries"]


def test_an_editor_sees_what_is_edited_alone(client: Client) -> None:
    editor = make_user(is_staff=True)
    editor.user_permissions.set(Permission.objects.filter(content_type__app_label="pages"))
    client.force_login(editor)
    index = client.get("/admin/").content.decode()
    assert set(re.findall(r'<div class="app-(\w+) module', index)) == {"content"}
    assert client.get("/admin/pages/").status_code == 200
