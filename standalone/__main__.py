"""`python -m standalone`: the program of `make run`."""

import asyncio
import os
import sys

from standalone import configuration, room
from standalone.configuration import Configuration
from standalone.console import Console
from standalone.runner import Runner
from standalone.stale_processes import PidRegistry
from standalone.stores import StoreError
from standalone.supervisor import StartError, Supervisor


def main() -> int:
    """Run the service; return 0 after a clean stop, 1 after an error, 2 for an invalid variable."""
    console = Console()
    try:
        wanted = configuration.read(os.environ)
        while (status := run(wanted, console)) is None:
            room.wait(wanted.data_dir)
        return status
    except (configuration.ConfigurationError, StartError, StoreError, OSError) as error:
        print(f"footfall: {error}", file=sys.stderr)
        return 2 if isinstance(error, configuration.ConfigurationError) else 1
    except KeyboardInterrupt:
        return 130


def run(wanted: Configuration, console: Console) -> int | None:
    """Run the service; return None if it could not start because the disk is full."""
    try:
        with configuration.lock_data_dir(wanted.data_dir):
            os.umask(0o077)  # no other user may read uploaded files
            registry = PidRegistry(wanted.data_dir)
            for name in registry.end_stale_processes():
                console.write("footfall", f"ended the {name} that an earlier run left behind")
            with configuration.hold_port(wanted):
                return asyncio.run(Supervisor(wanted, Runner(console, registry)).run())
    except (StartError, StoreError, OSError) as error:
        if not room.says_full(error) and not room.is_full(wanted.data_dir):
            raise
        console.write("footfall", str(error))
        full = f"the disk of DATA_DIR {wanted.data_dir} is full: starting again when there is room"
        console.write("footfall", full)
        return None


if __name__ == "__main__":
    sys.exit(main())
