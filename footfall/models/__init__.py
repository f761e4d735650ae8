"""The base class of countable models, and the tables of the counting."""

from footfall.fields import CounterField
from footfall.models.identity import Identity
from footfall.models.kept import CounterCopy, KeptCounter
from footfall.models.keys import ClientKey
from footfall.models.log import DeadLetter, Partition, ProducerState, Spilled
from footfall.models.operations import Adjustment, Audit, Dashboard
from footfall.models.projections import HourTotal, Invalidation, Ranking, Rollup, VisitorSketch
from footfall.models.querysets import CountableQuerySet
from footfall.models.reclassification import (
    Correcting,
    KeptKind,
    Reclassification,
    ReclassifiedAgent,
    ReclassifiedVisitor,
)
from footfall.models.recount import Correction, Recount, Recounted, VisitorRecount
from footfall.models.store import Base, Carried, Projection, Segment, StoreHead, StorePosition
from footfall.models.targets import COLUMNS, KIND_COLUMNS, VIEWS, ByKind, Countable
from footfall.models.viewers import (
    Agent,
    AgentCount,
    AgentRule,
    Burst,
    How,
    Kind,
    LeftOut,
    Salt,
)
from footfall.models.visits import Uncounted, Visit, VisitWindow

__all__ = [
    "COLUMNS",
    "KIND_COLUMNS",
    "VIEWS",
    "Adjustment",
    "Agent",
    "AgentCount",
    "AgentRule",
    "Audit",
    "Base",
    "Burst",
    "ByKind",
    "Carried",
    "ClientKey",
    "Correcting",
    "Correction",
    "Countable",
    "CountableQuerySet",
    "CounterCopy",
    "CounterField",
    "Dashboard",
    "DeadLetter",
    "HourTotal",
    "How",
    "Identity",
    "Invalidation",
    "KeptCounter",
    "KeptKind",
    "Kind",
    "LeftOut",
    "Partition",
    "ProducerState",
    "Projection",
    "Ranking",
    "Reclassification",
    "ReclassifiedAgent",
    "ReclassifiedVisitor",
    "Recount",
    "Recounted",
    "Rollup",
    "Salt",
    "Segment",
    "Spilled",
    "StoreHead",
    "StorePosition",
    "Uncounted",
    "Visit",
    "VisitWindow",
    "VisitorRecount",
    "VisitorSketch",
]
