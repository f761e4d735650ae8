"""manage.py firstadmin."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    for name in ("USERNAME", "PASSWORD", "EMAIL"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"DJANGO_SUPERUSER_{name.upper()}", value)

    return put


def firstadmin() -> str:
    output = StringIO()
    call_command("firstadmin", stdout=output)
    return output.getvalue()


def test_first_administrator_gets_a_random_password_that_is_printed() -> None:
    output = firstadmin()
    admin = User.objects.get()
    assert (admin.username, admin.is_superuser, admin.is_staff) == ("admin", True, True)
    password = output.removeprefix("Administrator admin, password ").removesuffix(" (shown once)\n")
    assert len(password) >= 16
    assert admin.check_password(password)


def test_administrator_as_configured(environment: Callable[..., None]) -> None:
    environment(username="root", password="from the environment", email="root@example.com")
    output = firstadmin()
    admin = User.objects.get()
    assert (admin.username, admin.email) == ("root", "root@example.com")
    assert admin.check_password("from the environment")
    assert "from the environment" not in output
    assert output == "Administrator root, password as configured\n"


def test_variables_that_are_empty_are_as_if_unset(environment: Callable[..., None]) -> None:
    environment(username="", password="", email="")
    assert "shown once" in firstadmin()
    assert User.objects.get().email == "admin@localhost"


def test_second_run_changes_nothing(environment: Callable[..., None]) -> None:
    firstadmin()
    before = User.objects.values().get()
    environment(username="other", password="another one")
    assert firstadmin() == "Administrator admin, made before\n"
    assert User.objects.values().get() == before


def test_ordinary_user_of_that_name_is_left_alone() -> None:
    User.objects.create_user("admin", "ada@example.com", "secret")
    with pytest.raises(CommandError, match="DJANGO_SUPERUSER_USERNAME"):
        firstadmin()
    user = User.objects.get()
    assert not user.is_superuser
    assert user.check_password("secret")


@pytest.mark.django_db(transaction=True)
def test_commands_that_run_at_once_make_one_administrator() -> None:
    def run(_: int) -> str:
        try:
            return firstadmin()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(run, range(4)))
    assert sum("shown once" in output for output in outputs) == 1
    assert User.objects.count() == 1
