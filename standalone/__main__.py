"""`python -m standalone`: what `make run` runs."""

import asyncio
import os
import sys

from standalone import configuration
from standalone.console import Console
from standalone.leftovers import Roster
from standalone.runner import Runner
from standalone.stores import StoreError
from standalone.supervisor import StartError, Supervisor


def main() -> int:
    """Run the service; return 0 after a clean stop, 1 after a fault, 2 for a wrong variable."""
    console = Console()
    try:
        wanted = configuration.read(os.environ)
        with configuration.only_user(wanted.data_dir):
            os.umask(0o077)  # uploaded files are seen by the service alone, which shows them
            roster = Roster(wanted.data_dir)
            for name in roster.end_leftovers():
                console.say("footfall", f"ended the {name} that an earlier run left behind")
            configuration.check_port(wanted)
            return asyncio.run(Supervisor(wanted, Runner(console, roster)).run())
    except configuration.ConfigurationError as error:
        print(f"footfall: {error}", file=sys.stderr)
        return 2
    except (StartError, StoreError, OSError) as error:
        print(f"footfall: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
