"""What outboxes share: the loop over what is due, and the time until a retry."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from footfall.common.outbox import backoff, send_due

FIRST, LONGEST = timedelta(seconds=2), timedelta(minutes=5)


@pytest.mark.parametrize(
    ("attempts", "drawn", "seconds"),
    [(1, 0.5, 1), (1, 1, 2), (2, 1, 4), (3, 0.25, 2), (8, 1, 256), (9, 1, 300), (10**6, 1, 300)],
)
def test_the_time_between_attempts_doubles_and_is_drawn(
    attempts: int, drawn: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: drawn)

    assert backoff(attempts, FIRST, LONGEST) == timedelta(seconds=seconds)


def test_a_share_of_it_may_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)

    assert backoff(1, FIRST, LONGEST, fixed_share=0.5) == timedelta(seconds=1.5)


@pytest.mark.django_db
def test_what_is_due_is_sent_in_order_until_something_is_away() -> None:
    pks = [Group.objects.create(name=name).pk for name in "abcd"]
    asked: list[int] = []

    def send(pk: int) -> bool:
        asked.append(pk)
        return pk != pks[1]

    assert send_due(Group.objects.order_by("-pk"), send) == 2
    assert asked == [pks[3], pks[2], pks[1]]


@pytest.mark.django_db
def test_what_is_due_is_sent_until_the_time_is_up() -> None:
    Group.objects.create(name="a")

    assert send_due(Group.objects.all(), lambda pk: True, seconds=-1) == 0
