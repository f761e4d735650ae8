"""Are views lost or doubled? answered <= counted <= attempted, for every content."""

from collections import Counter

from loadtest.common.client import Ledger
from loadtest.common.verdict import Gain, check, expected_sum, wait_for

ON_PAGES = {1: [10, 11], 2: [11, 12]}  # content 11 stands on both


def ledger(answered: dict[int, int], unanswered: dict[int, int] | None = None) -> Ledger:
    attempted = Counter(answered)
    attempted.update(unanswered or {})
    return Ledger(attempted, Counter(answered))


def test_every_view_counted_once_is_right() -> None:
    assert check({10: 3, 11: 5, 12: 2}, ledger({1: 3, 2: 2}), ON_PAGES)


def test_a_view_that_is_missing_is_lost() -> None:
    verdict = check({10: 2, 11: 5, 12: 2}, ledger({1: 3, 2: 2}), ON_PAGES)

    assert not verdict
    assert (verdict.lost, verdict.doubled, list(verdict.wrong())) == (1, 0, [10])


def test_a_view_that_nobody_sent_is_doubled() -> None:
    verdict = check({10: 3, 11: 6, 12: 2}, ledger({1: 3, 2: 2}), ON_PAGES)

    assert (verdict.lost, verdict.doubled, list(verdict.wrong())) == (0, 1, [11])


def test_a_lost_and_a_doubled_view_do_not_make_up_for_each_other() -> None:
    verdict = check({10: 2, 11: 5, 12: 3}, ledger({1: 3, 2: 2}), ON_PAGES)

    assert (verdict.lost, verdict.doubled) == (1, 1)


def test_a_view_without_an_answer_may_be_counted_or_not() -> None:
    sent = ledger({1: 3}, unanswered={1: 1})

    assert check({10: 3, 11: 3}, sent, ON_PAGES)
    assert check({10: 4, 11: 3}, sent, ON_PAGES)
    assert not check({10: 5, 11: 3}, sent, ON_PAGES)


def test_a_content_that_stands_on_a_page_twice_is_viewed_once() -> None:
    assert check({10: 1}, ledger({1: 1}), {1: [10, 10]})
    assert expected_sum(ledger({1: 1}), {1: [10, 10]}) == 1


def test_a_counter_that_rose_without_any_read_is_doubled() -> None:
    assert check({10: 0, 11: 0, 99: 1}, ledger({}), ON_PAGES).doubled == 1


def test_a_content_whose_counter_is_missing_is_lost() -> None:
    assert check({}, ledger({1: 2}), ON_PAGES).lost == 4


def test_waiting_ends_when_everything_is_counted() -> None:
    totals = iter([0, 4, 10])

    assert wait_for(lambda: next(totals), expected=10, limit=5.0) == 10


def test_waiting_ends_at_its_limit() -> None:
    assert wait_for(lambda: 3, expected=10, limit=0.15) == 3


def test_what_a_dead_master_took_with_it_is_missing_and_not_lost() -> None:
    sent, gone = ledger({1: 3, 2: 1}), {11: 2, 12: 1}

    verdict = check({10: 3, 11: 1, 12: 1}, sent, ON_PAGES, gone)

    assert (verdict.missing, verdict.lost, verdict.doubled) == (3, 1, 0)


def test_the_columns_are_summed() -> None:
    verdict = check({10: 3, 11: 5, 12: 2}, ledger({1: 3, 2: 2}), ON_PAGES)

    assert verdict.total() == Gain(10, 10, 10)
    assert str(verdict) == "lost 0, doubled 0"
