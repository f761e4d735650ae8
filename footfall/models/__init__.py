"""The base class of countable models, and the tables of the counting."""

from footfall.models.identity import Identity
from footfall.models.keys import ClientKey
from footfall.models.log import DeadLetter, Partition, ProducerState, Spilled
from footfall.models.operations import Adjustment, Audit, Dashboard
from footfall.models.projections import HourTotal, Invalidation, Ranking, Rollup
from footfall.models.recount import Correction, Recount, Recounted
from footfall.models.store import Base, Carried, Projection, Segment, StoreHead, StorePosition
from footfall.models.targets import Countable

__all__ = [
    "Adjustment",
    "Audit",
    "Base",
    "Carried",
    "ClientKey",
    "Correction",
    "Countable",
    "Dashboard",
    "DeadLetter",
    "HourTotal",
    "Identity",
    "Invalidation",
    "Partition",
    "ProducerState",
    "Projection",
    "Ranking",
    "Recount",
    "Recounted",
    "Rollup",
    "Segment",
    "Spilled",
    "StoreHead",
    "StorePosition",
]
