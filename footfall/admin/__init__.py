"""The admin of the counting: dashboard, tables, and the base class for countable models."""

from footfall.admin import agents, dashboard, tables  # noqa: F401  # registers them
from footfall.admin.charted import ChartedAdmin, ChartedAdminMixin

__all__ = ["ChartedAdmin", "ChartedAdminMixin"]
