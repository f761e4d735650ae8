"""The welcome e-mail, over a real mail server: sent in the end, and never twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.db import connection
from django.utils import timezone
from django.utils.html import escape

from accounts import tasks
from accounts.emails import messages
from accounts.emails.welcome import (
    FIRST_RETRY,
    GIVE_UP_AFTER,
    LONGEST_RETRY,
    retry_delay,
    send_due,
)
from accounts.models import User, Welcome
from accounts.registration import register
from tests.accounts.mailserver import MailServer
from tests.accounts.people import ADA

pytestmark = pytest.mark.django_db


@pytest.fixture
def owed() -> Welcome:
    """A user has just registered."""
    return register(**ADA).welcome


def state(welcome: Welcome) -> str:
    return str(Welcome.objects.get(pk=welcome.pk))


def make_due(welcome: Welcome) -> None:
    Welcome.objects.filter(pk=welcome.pk, due_at__isnull=False).update(due_at=timezone.now())


def test_the_mail_arrives(owed: Welcome, mail_server: MailServer) -> None:
    tasks.welcome(owed.pk)

    [mail] = mail_server.mails
    assert mail["To"] == "Ada@example.com"
    assert mail["From"] == "Footfall <footfall@localhost>"
    assert mail["Subject"] == "Welcome to Footfall"
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind, start in (("plain", "Hello ada,"), ("html", "<!doctype html>")):
        body = mail.get_body((kind,))
        assert body is not None
        assert body.get_content().lstrip().startswith(start)
        assert "http://localhost:8000" in body.get_content()
    assert state(owed) == "sent"


def test_a_mail_is_in_the_language_of_its_reader(owed: Welcome, mail_server: MailServer) -> None:
    """The translations are tested elsewhere; this tests the language of the HTML."""
    User.objects.update(language="ru")
    tasks.welcome(owed.pk)

    html = mail_server.mails[0].get_body(("html",))
    assert html is not None
    assert '<html lang="ru">' in html.get_content()


@pytest.mark.parametrize("name", ["ada", "Ёлка", "Ada-Lovelace", "ada1815", "山田太郎"])
def test_a_name_is_shown(owed: Welcome, name: str) -> None:
    owed.user.username = name
    assert f"Hello {name},\n" in messages.welcome(owed.user).body


@pytest.mark.parametrize("letter", [messages.welcome, messages.reset, messages.address_taken])
@pytest.mark.parametrize(
    "name",
    [
        "WIN.a.prize.at.www.evil.example",
        "evil.example",
        "evil-example-com",
        "httpevil",
        "wwwevil",
        "ada@evil.example",
        "call-0800123456",
        "You-won-1000-euros",
        "You_have_won",
        "Youhavewonaprizeofonemillion",
        "<b>Ёлка & co</b>",  # older than the rule for names
    ],
)
def test_a_name_that_is_a_message_is_not_shown(
    owed: Welcome, name: str, letter: Callable[[User], EmailMultiAlternatives]
) -> None:
    owed.user.username = name
    mail = letter(owed.user)
    assert mail.body.startswith("Hello,\n")
    for text in (mail.subject, mail.body, mail.alternatives[0][0]):
        assert name not in str(text)
        assert escape(name) not in str(text)


def test_a_redelivered_task_sends_no_second_mail(owed: Welcome, mail_server: MailServer) -> None:
    for _ in range(3):
        tasks.welcome(owed.pk)
        tasks.welcome_due()

    assert len(mail_server.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_of_tasks_at_once_one_sends_it(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed = register(**ADA).welcome
    all_of_them = Barrier(4)
    open_one = EmailBackend.open

    def open_together(self: EmailBackend) -> Any:
        if self.connection is None:
            all_of_them.wait(10)  # each has found the mail unsent
        return open_one(self)

    monkeypatch.setattr(EmailBackend, "open", open_together)

    def run(_: int) -> None:
        try:
            tasks.welcome(owed.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))

    assert len(mail_server.mails) == 1
    assert state(owed) == "sent"


def test_it_arrives_once_after_the_server_is_back(owed: Welcome, no_mail_server: int) -> None:
    tasks.welcome(owed.pk)
    waiting = Welcome.objects.get()
    assert (str(waiting), waiting.tries, waiting.claimed_at) == ("waiting", 1, None)
    assert "ConnectionRefusedError" in waiting.error
    assert waiting.due_at
    assert waiting.due_at > timezone.now()

    with MailServer(no_mail_server) as back:
        tasks.welcome_due()
        assert not back.mails  # not due yet
        make_due(owed)
        tasks.welcome_due()
        tasks.welcome_due()

    assert len(back.mails) == 1
    assert state(owed) == "sent"


def test_a_server_that_says_nothing_is_away(owed: Welcome, by_mail: Callable[[int], None]) -> None:
    silent = MailServer()  # it listens, and is not served
    try:
        by_mail(silent.port)
        tasks.welcome(owed.pk)
    finally:
        silent.server_close()

    assert state(owed) == "waiting"


@pytest.mark.parametrize(
    "refusal", [{"RCPT": "450 later"}, {"MAIL": "550 no"}, {"DATA": "451 no room"}]
)
def test_a_mail_that_is_refused_is_tried_again(
    owed: Welcome, mail_server: MailServer, refusal: dict[str, str]
) -> None:
    mail_server.refusals = refusal
    tasks.welcome(owed.pk)
    assert (state(owed), mail_server.mails) == ("waiting", [])

    mail_server.refusals = {}
    make_due(owed)
    tasks.welcome_due()
    assert (state(owed), len(mail_server.mails)) == ("sent", 1)


def test_a_mail_that_may_have_been_taken_is_not_sent_again(
    owed: Welcome, mail_server: MailServer
) -> None:
    mail_server.breaks_off = True
    tasks.welcome(owed.pk)
    mail_server.breaks_off = False
    make_due(owed)
    for _ in range(2):
        tasks.welcome(owed.pk)
        tasks.welcome_due()

    assert len(mail_server.mails) == 1
    assert state(owed) == "perhaps sent"
    assert "SMTPServerDisconnected" in Welcome.objects.get().error


def test_a_mail_is_not_sent_again_after_a_crash_in_the_middle(
    owed: Welcome, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has accepted it; the process ends before it marks the row."""
    send = EmailBackend.send_messages

    def send_and_die(self: EmailBackend, messages: Any) -> None:
        send(self, messages)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", send_and_die)
        with pytest.raises(SystemExit):
            tasks.welcome(owed.pk)
    tasks.welcome(owed.pk)
    tasks.welcome_due()

    assert len(mail_server.mails) == 1
    assert state(owed) == "perhaps sent"


def test_a_mail_that_cannot_be_put_together_is_tried_again(
    owed: Welcome, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "_send", broken)
        tasks.welcome(owed.pk)
    assert (state(owed), Welcome.objects.get().error) == ("waiting", "ValueError: a bug")

    tasks.welcome(owed.pk)
    assert len(mail_server.mails) == 1


def test_after_a_week_it_is_given_up(owed: Welcome, no_mail_server: int) -> None:
    Welcome.objects.update(asked_at=timezone.now() - GIVE_UP_AFTER - timedelta(hours=1))
    tasks.welcome(owed.pk)

    assert state(owed) == "given up"


def test_waits_grow_and_differ() -> None:
    longest = [max(retry_delay(tries) for _ in range(50)) for tries in range(12)]
    assert all(
        FIRST_RETRY * 2**tries / 2 <= one <= FIRST_RETRY * 2**tries
        for tries, one in enumerate(longest[:8])
    )
    assert LONGEST_RETRY / 2 <= longest[-1] <= LONGEST_RETRY
    assert retry_delay(30_000) <= LONGEST_RETRY
    assert len({retry_delay(3) for _ in range(20)}) > 1


def test_a_sweep_sends_all_and_stops_at_a_server_that_is_away(
    by_mail: Callable[[int], None], no_mail_server: int
) -> None:
    for name in ("ada", "bob", "eve"):
        register(name, f"{name}@example.com", "secret")
    send_due()
    assert sorted(Welcome.objects.values_list("tries", flat=True)) == [0, 0, 1]

    Welcome.objects.update(due_at=timezone.now())
    with MailServer() as server:
        by_mail(server.port)
        send_due()
    assert sorted(mail["To"] for mail in server.mails) == [
        f"{name}@example.com" for name in ("ada", "bob", "eve")
    ]


def test_who_did_not_register_is_not_welcomed(mail_server: MailServer, admin_user: User) -> None:
    User.objects.create_user("ada", "ada@example.com", "secret")
    tasks.welcome(admin_user.pk)
    tasks.welcome_due()

    assert not mail_server.mails


def test_who_has_left_meanwhile_is_not_welcomed(owed: Welcome, mail_server: MailServer) -> None:
    User.objects.all().delete()
    tasks.welcome(owed.pk)

    assert not mail_server.mails


def test_the_link_of_a_mail_is_where_the_service_is(owed: Welcome, settings: Any) -> None:
    settings.SITE_URL = "https://footfall.example"

    assert "https://footfall.example\n" in messages.welcome(owed.user).body
