"""What a child does: it processes one file and writes the response."""

import json
import os
import socket
import traceback
from base64 import b64encode
from itertools import pairwise
from pathlib import Path
from typing import Any

from uploads.child import isolation, opened_file
from uploads.processors import find_processor
from uploads.processors.base import Result, Unprocessable, clean, gettext_noop

MEGABYTE = 1024**2
MAX_REQUEST_BYTES = 64 * 1024
MAX_DESCRIPTORS = 16


def process(connection: socket.socket, parent: int) -> None:
    """Read the request, process the file, write the response, and exit.

    The request is JSON, beside the open descriptors of the file and, as the last one, of a pipe
    for the response, which is JSON. parent: the process with which this one ends.
    """
    data, received, _flags, _address = socket.recv_fds(
        connection, MAX_REQUEST_BYTES, MAX_DESCRIPTORS
    )
    if not received:
        os._exit(1)  # the worker is gone
    close_others(received)
    *descriptors, answer = received
    path = opened_file.use(descriptors)
    response = json.dumps(respond(json.loads(data), path, parent)).encode()
    while response:
        response = response[os.write(answer, response) :]
    os._exit(0)  # skips the cleanup, which the file may have made slow


def close_others(descriptors: list[int]) -> None:
    """Close all descriptors but these. 0, 1 and 2 lead nowhere, whatever a library prints."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    kept = sorted({2, *descriptors, isolation.empty_directory() or 2})
    for low, high in pairwise([*kept, os.sysconf("SC_OPEN_MAX")]):
        os.closerange(low + 1, high)


def respond(request: dict[str, Any], path: Path, parent: int) -> dict[str, Any]:
    """Process the file and return the response."""
    try:
        process = find_processor(request["kind"])
        os.setsid()  # what it may start, where there is no filter, ends with it
        isolation.limit(request["memory"], request["seconds"])
        isolation.isolate(parent)
        return _response(process(path, request["content_type"]))
    except Unprocessable as error:
        return {"reason": error.reason, "values": error.values}
    except MemoryError:
        reason = gettext_noop("Processing needs more than %(megabytes)d MB of memory.")
        return {"reason": reason, "values": {"megabytes": request["memory"] // MEGABYTE}}
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
