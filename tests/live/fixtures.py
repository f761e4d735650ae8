"""What tests of the running service share beside their fixtures."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.support.processes import Done

Manage = Callable[..., Done]
Withstand = Callable[[AbstractContextManager[object]], None]

# How long an attack lasts, in seconds. The suite runs the short version.
ATTACK_SECONDS = float(os.environ.get("FOOTFALL_ATTACK_SECONDS", "2"))
