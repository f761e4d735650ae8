"""Which errors of Django's database layer mean that the database is unavailable."""

from django.db import DatabaseError, InterfaceError, OperationalError


def is_database_away(error: BaseException | None) -> bool:
    """Tell whether the database is away, or ended while it was asked.

    For the latter psycopg2 may raise a plain DatabaseError ("server closed the connection
    unexpectedly"); what is wrong with a statement or with data has a class of its own. Django's own
    DatabaseError, of an update that found no row, has no cause.
    """
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    return type(error) is DatabaseError and error.__cause__ is not None
