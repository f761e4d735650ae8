"""Signals for projects."""

from django.dispatch import Signal

counted = Signal()
"""Counters have grown: `sender` is the model, `counters` {primary key: its new counter}.

Sent once per model after each commit of a batch, about every second, in the process that counts
(`counters run`, or the worker of the queue `counters`), never in a request. What a receiver does
holds up the next batch, so leave long work to a task; what it raises is logged. A process that dies
between the commit and the signal does not send it: read the counters, and do not add them up.
"""
