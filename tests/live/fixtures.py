"""The types of the fixtures that tests of the running service share."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager

Manage = Callable[..., "subprocess.CompletedProcess[str]"]
Withstand = Callable[[AbstractContextManager[object]], None]
