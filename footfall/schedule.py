"""The product's entries for Celery beat: `CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE}`.

None has `expires`, which compares the clocks of two machines. Ticks too many cost next to nothing.
"""

from datetime import timedelta
from typing import Any

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "Count the views (flush)": {
        "task": "counters.flush",
        "schedule": timedelta(seconds=1),
        "options": {"queue": "counters"},
    },
    "Compute the most viewed (rank)": {
        "task": "counters.rank",
        "schedule": timedelta(seconds=10),
    },
    "Remove old audits, dead letters and producer states (prune)": {
        "task": "counters.prune",
        "schedule": timedelta(hours=1),
    },
    "Compact the event store (compact_store)": {
        "task": "counters.compact_store",
        "schedule": timedelta(minutes=10),
    },
    "Compact old hours into days (fold)": {"task": "counters.fold", "schedule": timedelta(days=1)},
}
