"""Connections to Redis without retries, and calls over them."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, ConnectionPool
from redis.exceptions import AskError, MovedError, TryAgainError
from redis.retry import Retry

from footfall.eventlog.errors import Away, LogError, Redirected
from footfall.eventlog.lua_scripts import Script
from footfall.eventlog.sentinel import MasterPool, is_sentinel

_PARAMETERS = signature(AbstractConnection.__init__).parameters
# A new connection does not tell Redis the name of the library: that is a call more.
_ANONYMOUS: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in _PARAMETERS
    else {name: None for name in ("lib_name", "lib_version") if name in _PARAMETERS}
)
_NAME = signature(ConnectionPool.get_connection).parameters.get("command_name")
_FOR_COMMAND = ("_",) if _NAME and _NAME.default is Parameter.empty else ()
"""Before 5.3 redis-py wants to know for which command a connection is."""


def connections(url: str, timeout: float) -> ConnectionPool:
    """Return a pool; `timeout` in seconds.

    url: `redis://...`, `rediss://...`, `unix://...`, or of sentinels: see `sentinel.Named`.
    Nothing is retried: by default redis-py retries, and a retry is a second event.
    """
    kind = MasterPool if is_sentinel(url) else ConnectionPool
    return kind.from_url(
        url,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 1.0),
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        health_check_interval=0,
        **_ANONYMOUS,
    )


def send(connection: Any, *command: Any) -> Any:
    """Send one command and return its raw answer, without redis-py's response callbacks."""
    connection.send_command(*command)
    return connection.read_response(disable_decoding=True)


def run_script(connection: Any, script: Script, *arguments: Any) -> Any:
    try:
        return send(connection, "EVALSHA", script.sha, *arguments)
    except redis.exceptions.NoScriptError:  # Redis has restarted; nothing was run
        return send(connection, "EVAL", script.source, *arguments)


class Replicas(NamedTuple):
    """Replicas that must have an event before it is acknowledged."""

    number: int
    milliseconds: int
    """For so long they are waited for."""


def run_script_replicated(
    connection: Any, script: Script, wanted: Replicas, *arguments: Any
) -> tuple[Any, bool]:
    """Run a script that writes; return its answer, and whether enough replicas have it too.

    Both are asked in one round trip. An error of the script is raised once both have answered. One
    of WAIT (the user may not run it, a script of another client takes long) is none of the script,
    which has written: no replica is known to have it.
    """
    wait = ("WAIT", *wanted)
    try:
        answer, replicas = _send_both(connection, ("EVALSHA", script.sha, *arguments), wait)
    except redis.exceptions.NoScriptError:
        answer, replicas = _send_both(connection, ("EVAL", script.source, *arguments), wait)
    return answer, isinstance(replicas, int) and replicas >= wanted.number


def _send_both(connection: Any, *commands: tuple[Any, ...]) -> list[Any]:
    """Send commands together; return all answers. Raises the first one if it is an error."""
    connection.send_packed_command(connection.pack_commands(commands))
    answers: list[Any] = []
    for _ in commands:
        try:
            answers.append(connection.read_response(disable_decoding=True))
        except redis.ResponseError as error:
            answers.append(error)
    if isinstance(answers[0], redis.ResponseError):
        raise answers[0]
    return answers


def call(pool: ConnectionPool, *command: Any) -> Any:
    """Send one command. Raises LogError if the answer is an error, and Away if there is none."""
    return _borrow(pool, lambda connection: send(connection, *command))


def evaluate(pool: ConnectionPool, script: Script, keys: int, *arguments: Any) -> Any:
    """Run a script whose first `keys` arguments are keys. Raises as `call` does."""
    return _borrow(pool, lambda connection: run_script(connection, script, keys, *arguments))


def _borrow(pool: ConnectionPool, use: Callable[[Any], Any]) -> Any:
    try:
        connection: Any = pool.get_connection(*_FOR_COMMAND)
        try:
            return use(connection)
        except BaseException as error:
            if not isinstance(error, redis.ResponseError):
                connection.disconnect()  # or the next command would get this one's answer
            raise
        finally:
            pool.release(connection)
    except (AskError, TryAgainError) as error:
        raise redirection(error) from error
    except redis.ResponseError as error:
        raise LogError(str(error)) from error
    except redis.RedisError as error:
        raise Away(str(error)) from error


def redirection(error: AskError | TryAgainError) -> Redirected:
    """Return the error for a redirection; redis-py's MovedError is a subclass of AskError."""
    text = f"{type(error).__name__}: {error}"
    return Redirected(text, error.node_addr if isinstance(error, MovedError) else None)
