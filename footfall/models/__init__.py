"""The base class of countable models, and the tables of the counting."""

from footfall.models.identity import Identity
from footfall.models.log import DeadLetter, Partition, ProducerState, Spilled
from footfall.models.operations import Adjustment, Audit, Dashboard
from footfall.models.projections import HourTotal, Invalidation, Ranking, Rollup
from footfall.models.recount import Correction, Recount, Recounted
from footfall.models.store import Base, Carried, Projection, Segment, StoreHead, StorePosition
from footfall.models.targets import Countable
from footfall.models.viewers import Agent, AgentCount, AgentRule, How, Kind, Salt

__all__ = [
    "Adjustment",
    "Agent",
    "AgentCount",
    "AgentRule",
    "Audit",
    "Base",
    "Carried",
    "Correction",
    "Countable",
    "Dashboard",
    "DeadLetter",
    "HourTotal",
    "How",
    "Identity",
    "Invalidation",
    "Kind",
    "Partition",
    "ProducerState",
    "Projection",
    "Ranking",
    "Recount",
    "Recounted",
    "Rollup",
    "Salt",
    "Segment",
    "Spilled",
    "StoreHead",
    "StorePosition",
]
