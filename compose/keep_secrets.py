"""Makes the keys and passwords of Compose: `keep_secrets.py [FOLDER...]`.

Each is in the file `value` of a folder of its own, by default of every one in /secrets that a
volume is mounted on: so a container sees those alone that it needs. What is there stays.
"""

import secrets
import sys
from pathlib import Path

SECRETS = Path("/secrets")


def keep(folder: Path) -> None:
    """Make the secret of `folder`, unless it has one; other users' containers may read it."""
    path = folder / "value"
    if path.exists():
        return
    fresh = folder / "value.new"
    fresh.unlink(missing_ok=True)
    fresh.write_text(secrets.token_urlsafe(48))  # 64 of A-Z a-z 0-9 - _
    fresh.chmod(0o444)
    fresh.replace(path)  # half a password is never read
    sys.stdout.write(f"made {folder.name}\n")


def main(arguments: list[str]) -> None:
    for folder in map(Path, arguments) if arguments else sorted(SECRETS.iterdir()):
        if arguments or folder.is_mount():
            keep(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
