"""The names of models in an event, "pages.content"."""

from functools import lru_cache

from footfall.events.reasons import DeadLetterReason, Malformed

MAX_LABEL_BYTES = 100


@lru_cache(maxsize=1000)
def label_of(name: bytes) -> str:
    """Return a label as text. Raises Malformed."""
    try:
        label = name.decode()
    except UnicodeDecodeError:
        label = ""
    if not is_label(label) or len(name) > MAX_LABEL_BYTES:
        raise Malformed(DeadLetterReason.INVALID_LABEL, name)
    return label


def is_label(label: str) -> bool:
    """Tell whether a text has the form of a label; it goes into the database as it is."""
    app, _, model = label.partition(".")
    return app.isidentifier() and model.isidentifier()
