"""Which errors of Django's database layer mean that the database is unavailable."""

from django.db import DatabaseError, InterfaceError, OperationalError


def is_database_away(error: BaseException | None) -> bool:
    """Tell whether the database is away, or ended while it was asked.

    For the latter psycopg2 may raise a plain DatabaseError ("server closed the connection
    unexpectedly"); what is wrong with a statement or with data has a class of its own.
    """
    return isinstance(error, (OperationalError, InterfaceError)) or type(error) is DatabaseError
