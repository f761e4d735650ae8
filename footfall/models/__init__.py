"""What is countable, and the tables of the counting itself."""

from footfall.models.cache import Stale
from footfall.models.log import Batch, Mark, Partition, SetAside, Spilled
from footfall.models.operations import Adjustment, Audit, Dashboard
from footfall.models.projections import HourTotal, Ranking, Rollup
from footfall.models.targets import Countable

__all__ = [
    "Adjustment",
    "Audit",
    "Batch",
    "Countable",
    "Dashboard",
    "HourTotal",
    "Mark",
    "Partition",
    "Ranking",
    "Rollup",
    "SetAside",
    "Spilled",
    "Stale",
]
