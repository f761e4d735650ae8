"""The admin of the counting: dashboard, tables, and the base class for countable models."""

from footfall.admin.charted import ChartedAdmin
from footfall.admin.dashboard import DashboardAdmin
from footfall.admin.tables import (
    AdjustmentAdmin,
    AuditAdmin,
    BatchAdmin,
    DeadLetterAdmin,
    PartitionAdmin,
)

__all__ = [
    "AdjustmentAdmin",
    "AuditAdmin",
    "BatchAdmin",
    "ChartedAdmin",
    "DashboardAdmin",
    "DeadLetterAdmin",
    "PartitionAdmin",
]
