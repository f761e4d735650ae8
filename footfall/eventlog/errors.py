"""What can go wrong with an append, by what the caller may conclude from it."""

from footfall.eventlog.entries import EventId


class LogError(Exception):
    """The log did not answer, or not with what was asked."""


class Away(LogError):
    """Redis did not answer: asking for another partition would fail, too."""


class Refused(LogError):
    """The event is not in the log and never will be: nothing was sent, or Redis said no."""


class Full(Refused):
    """The partition has reached its cap on memory."""


class Unreachable(Refused, Away):
    """No server of the cluster says where the key is: nothing was sent."""


class Elsewhere(Refused):
    """Nothing was run: the key is at another server of the cluster, or on its way there."""

    def __init__(self, text: str, address: tuple[str, int] | None = None) -> None:
        super().__init__(text)
        self.address = address
        """Host and port of who has it; None while it is on its way."""


class Ambiguous(LogError):
    """The event was sent and no answer came: it may be in the log, or land there later."""

    def __init__(self, number: EventId) -> None:
        super().__init__(f"no answer to the append of {number}")
        self.number = number
