"""A run of Locust: an account is opened before it, and checked when it ends."""

import itertools
import logging
import os
from collections import Counter
from typing import Any

from loadtest.common import zipf
from loadtest.common.service import Unusable
from loadtest.load.account import Account

PAGES = int(os.environ.get("LOAD_PAGES", "50"))

logger = logging.getLogger("loadtest")


class Trial:
    """State that all users of a run share."""

    account: Account | None = None
    sums: list[float]
    throttled: Counter[str] = Counter()


def prepare(environment: Any, **kwargs: Any) -> None:
    """Open the account before the clock of a run without a web page starts."""
    if environment.parsed_options and environment.parsed_options.headless:
        open_account(environment)


def begin(environment: Any, **kwargs: Any) -> None:
    if Trial.account is None:
        open_account(environment)
    if Trial.account is None:
        environment.runner.quit()


def open_account(environment: Any) -> None:
    try:
        Trial.account = Account.open(environment.host, PAGES)
    except Unusable as error:
        fail(environment, f"cannot begin: {error}")
        return
    Trial.throttled.clear()
    Trial.sums = list(itertools.accumulate(zipf.weights(len(Trial.account.pages))))


def end(environment: Any, **kwargs: Any) -> None:
    account, Trial.account = Trial.account, None
    if account is None or not account.ledger.answered:
        fail(environment, "no page was read")
        return
    try:
        verdict = account.close()
    except Unusable as error:
        fail(environment, f"the counters could not be checked: {error}")
        return
    if Trial.throttled:
        logger.info("throttled, as they should be: %s", dict(Trial.throttled))
    if verdict:
        logger.info(account.summary(verdict))
    else:
        fail(environment, account.summary(verdict))


def fail(environment: Any, reason: str) -> None:
    """End the run with exit code 1; the reason stands among the failures, too."""
    logger.error(reason)
    environment.process_exit_code = 1
    environment.events.request.fire(
        request_type="CHECK",
        name="answered <= counted <= attempted",
        response_time=0,
        response_length=0,
        exception=AssertionError(reason),
        context={},
    )


def listen(events: Any) -> None:
    """Have Locust's `events` open and close the account."""
    events.init.add_listener(prepare)
    events.test_start.add_listener(begin)
    events.test_stop.add_listener(end)
