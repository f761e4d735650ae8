"""The child process that processes one file; `sandbox` starts it. Imports no Django."""

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

from uploads.processors import find_processor
from uploads.processors.base import Result, Unprocessable, clean, gettext_noop

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
MAX_OPEN_FILES = 64
MEGABYTE = 1024**2


def respond(request: dict[str, Any]) -> dict[str, Any]:
    """Process the file and return the response; both are JSON."""
    megabytes = request["memory"] // MEGABYTE
    try:
        process = find_processor(request["kind"])
        set_limits(request)
        return _response(process(Path(request["path"]), request["content_type"]))
    except Unprocessable as error:
        return {"reason": error.reason, "values": error.values}
    except MemoryError:
        reason = gettext_noop("Processing needs more than %(megabytes)d MB of memory.")
        return {"reason": reason, "values": {"megabytes": megabytes}}
    except RecursionError:
        return {"reason": gettext_noop("The file is nested too deeply."), "values": {}}
    except (ImportError, OSError):  # not caused by the file
        return {"interrupted": traceback.format_exc()[-1_000:]}
    except Exception:
        return {"failed": traceback.format_exc()[-1_000:]}


def _response(result: Result) -> dict[str, Any]:
    thumbnail = b64encode(result.thumbnail).decode() if result.thumbnail else None
    # The worker cleans it again, but does not read a response that is too long.
    return {"metadata": clean(result.metadata), "thumbnail": thumbnail}


def set_limits(request: dict[str, Any]) -> None:
    """Limit what a malicious file can make this process use."""
    os.nice(10)
    seconds = request["seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Write the response to the request in the arguments to the standard output, and exit."""
    request = json.loads(sys.argv[1])
    die_with_parent(request["parent"])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not get into the response
    json.dump(respond(request), out)
    out.flush()
    os._exit(0)  # skips the cleanup, which the file may have made slow


if __name__ == "__main__":
    main()
