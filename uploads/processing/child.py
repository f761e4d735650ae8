"""The process that looks at one file and ends; `uploads.processing.sandbox` starts it.

Knows no Django.
"""

import json
import os
import resource
import signal
import sys
import traceback
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from uploads.processors import find
from uploads.processors.base import Result, Unprocessable, clean, gettext_noop

DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
OPEN_FILES = 64
MEGABYTE = 1024**2


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to `request`, as JSON has it."""
    megabytes = request["memory"] // MEGABYTE
    try:
        process = find(request["kind"])
        limit(request)
        return _told(process(Path(request["path"]), request["content_type"]))
    except Unprocessable as error:
        return {"reason": error.reason, "values": error.values}
    except MemoryError:
        reason = gettext_noop("It takes more than %(megabytes)d MB of memory to look at it.")
        return {"reason": reason, "values": {"megabytes": megabytes}}
    except RecursionError:
        return {"reason": gettext_noop("It is nested too deeply."), "values": {}}
    except (ImportError, OSError):  # the machine's, not the file's
        return {"interrupted": traceback.format_exc()[-1_000:]}
    except Exception:
        return {"failed": traceback.format_exc()[-1_000:]}


def _told(result: Result) -> dict[str, Any]:
    thumbnail = b64encode(result.thumbnail).decode() if result.thumbnail else None
    # Too long an answer is not read; the worker that reads it cleans it once more.
    return {"metadata": clean(result.metadata), "thumbnail": thumbnail}


def limit(request: dict[str, Any]) -> None:
    """Take from this process what a file could misuse."""
    os.nice(10)
    seconds = request["seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))


def die_with(parent: int) -> None:
    """Have the kernel end this process when the one that waits for it has ended."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def run() -> None:
    """Answer the request in the arguments on the standard output, and end."""
    request = json.loads(sys.argv[1])
    die_with(request["parent"])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    json.dump(main(request), out)
    out.flush()
    os._exit(0)  # nothing to tidy up, and the file may have made that slow


if __name__ == "__main__":
    run()
