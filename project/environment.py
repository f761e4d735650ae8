"""The environment that the settings are read from.

`DATABASE_URL`, `REDIS_URL` and `DJANGO_SECRET_KEY` may be left out beside a `make run`: then they
are those of its embedded stores in `DATA_DIR`.
"""

import os
from pathlib import Path

from environs import Env, validate

from standalone import addresses
from standalone.configuration import Configuration

env = Env()
positive = validate.Range(min=1)

DATA_DIR = Path(env.str("DATA_DIR", str(Configuration.data_dir))).resolve()

for name, embedded in (
    ("DJANGO_SECRET_KEY", addresses.secret_key),
    ("DATABASE_URL", addresses.database_url),
    ("REDIS_URL", addresses.redis_url),
):
    if name not in os.environ and (value := embedded(DATA_DIR)):
        os.environ[name] = value
