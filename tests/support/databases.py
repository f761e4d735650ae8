"""The test's database, whichever it is: how other processes find it, and how it goes away."""

import os
from urllib.parse import urlsplit

import pytest
from django.db import connection


def environment(name: str = "") -> dict[str, str]:
    """Return the variables by which another process finds the test's database.

    name: of another database of the same server.
    """
    name = name or str(connection.settings_dict["NAME"])
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        return {"POSTGRES_DB": name}
    if connection.vendor == "sqlite":
        return {"DATABASE_URL": f"sqlite:///{name}"}
    return {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}


def take_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close the connection; until `monkeypatch` is undone, nobody gets a new one."""
    connection.close()
    settings = connection.settings_dict
    nowhere = {
        "postgresql": {"HOST": "/nowhere"},
        "mysql": {"HOST": "127.0.0.1", "PORT": "1"},
        "sqlite": {"NAME": "/nowhere/database"},
    }[connection.vendor]
    options = {key: value for key, value in settings["OPTIONS"].items() if key != "unix_socket"}
    for key, value in {**nowhere, "OPTIONS": options}.items():
        monkeypatch.setitem(settings, key, value)
