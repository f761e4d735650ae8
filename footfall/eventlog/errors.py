"""What can go wrong with an append, named for what the caller may conclude."""

from footfall.eventlog.entries import EventId


class LogError(Exception):
    """Redis did not answer, or answered with an error."""


class Away(LogError):
    """Redis did not answer: a call for another partition would fail, too."""


class Refused(LogError):
    """The event is not in the log and never will be: nothing was sent, or Redis said no."""


class Full(Refused):
    """The partition has reached its limit of memory."""


class Unreachable(Refused, Away):
    """No server of the cluster says where the key is: nothing was sent."""


class Redirected(Refused):
    """Nothing was run: another server of the cluster holds the key, or the key is being moved."""

    def __init__(self, text: str, address: tuple[str, int] | None = None) -> None:
        super().__init__(text)
        self.address = address
        """Host and port of the server that holds the key; None while the key is being moved."""


class Ambiguous(LogError):
    """The event was sent and no answer came: it may be in the log, or arrive there later."""

    def __init__(self, event_id: EventId) -> None:
        super().__init__(f"no answer to the append of {event_id}")
        self.event_id = event_id
