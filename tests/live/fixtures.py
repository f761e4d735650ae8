"""What tests of the running service share beside their fixtures."""

import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager

Manage = Callable[..., "subprocess.CompletedProcess[str]"]
Withstand = Callable[[AbstractContextManager[object]], None]

# How long an attack lasts, in seconds. The suite runs the short version.
ATTACK_SECONDS = float(os.environ.get("FOOTFALL_ATTACK_SECONDS", "4"))
