"""Connections to Redis without retries, and calls over them."""

from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import AskError, MovedError, TryAgainError
from redis.retry import Retry

from footfall.eventlog.errors import Away, LogError, Redirected
from footfall.eventlog.lua_scripts import Script


def connections(url: str, timeout: float) -> ConnectionPool:
    """Return a pool; `url` is `redis://...`, `rediss://...` or `unix://...`, `timeout` in seconds.

    Nothing is retried: by default redis-py retries, and a retry is a second event.
    """
    return ConnectionPool.from_url(
        url,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 1.0),
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        health_check_interval=0,
        driver_info=None,
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


def call(pool: ConnectionPool, *command: Any) -> Any:
    """Send one command. Raises LogError if the answer is an error, and Away if there is none."""
    return _borrow(pool, lambda connection: send(connection, *command))


def evaluate(pool: ConnectionPool, script: Script, keys: int, *arguments: Any) -> Any:
    """Run a script whose first `keys` arguments are keys. Raises as `call` does."""
    return _borrow(pool, lambda connection: run_script(connection, script, keys, *arguments))


def _borrow(pool: ConnectionPool, use: Callable[[Any], Any]) -> Any:
    try:
        connection: Any = pool.get_connection()
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
