"""Accounts that are older than the rules for names and addresses."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from accounts.models import User
from tests.accounts.people import LOGIN, PASSWORD

OLD = [
    ("admin", "admin@example.com"),
    ("аdmin", "İstanbul@example.com"),  # Cyrillic; an address without a form
    ("one", "user@bücher.example"),
    ("two", "user@xn--bcher-kva.example"),
    ("Ёлка", "alone@BÜCHER.example"),
]


@pytest.mark.django_db(transaction=True)
def test_every_account_still_signs_in(client: Client) -> None:
    """With its name, and with the address as it was registered."""
    executor = MigrationExecutor(connection)
    latest = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "accounts"]
    executor.migrate([("accounts", "0005_sessions")])
    try:
        old = executor.loader.project_state([("accounts", "0005_sessions")]).apps
        users = old.get_model("accounts", "User")
        holder = User(username="x")
        holder.set_password(PASSWORD)
        password = holder.password
        for name, address in OLD:
            users.objects.create(username=name, email=address, password=password)
    finally:
        MigrationExecutor(connection).migrate(latest)

    names = {user.username: user for user in User.objects.all()}
    assert names["one"].email == "user@bücher.example"  # its other form is taken
    assert names["Ёлка"].email == "alone@xn--bcher-kva.example"
    assert [name for name, user in names.items() if user.skeleton is None] == ["аdmin"]
    for name, address in OLD:
        for known in (name, address):
            body = {"username": known, "password": PASSWORD}
            answer = client.post(LOGIN, body, "application/json")
            assert answer.status_code == 200, known
            assert User.objects.get(auth_token=answer.json()["auth_token"]).username == name
    User.objects.get(username="аdmin").save()
