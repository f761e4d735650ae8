"""Queries that Django compiles once: compiling one takes it ten times as long as running it."""

from collections.abc import Callable
from inspect import signature
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connections, models, router
from django.db.models.expressions import RawSQL

Row = TypeVar("Row")


class Place(NamedTuple):
    """Stands for an argument among the parameters of a query, by its number."""

    number: int


class Plan(NamedTuple):
    """A compiled query."""

    sql: str
    parameters: tuple[Any, ...]
    """Values, and a Place for each argument."""
    converters: dict[int, Any]
    """By column: what makes a value of Python of one of the database."""
    names: list[str]
    """Of the attributes of an instance; empty if a row is a tuple."""


class Compiled(Generic[Row]):
    """A query with arguments that is asked often.

    build: gets what stands for each argument, to be compared with a column, and returns the query:
    of whole instances, or `values_list`. Arguments are numbers, texts, or what else the databases
    take as it is.
    """

    def __init__(self, build: Callable[..., "models.QuerySet[Any, Row]"]) -> None:
        self._build = build
        self._plans: dict[str, Plan] = {}
        self._rows: Any = None

    def all(self, *arguments: Any) -> list[Row]:
        """Return the rows. Raises DatabaseError."""
        if self._rows is None:
            count = len(signature(self._build).parameters)
            places = (RawSQL("%s", [Place(number)]) for number in range(count))
            self._rows = self._build(*places)
        route = router.db_for_write if self._rows.query.select_for_update else router.db_for_read
        using = route(self._rows.model)
        plan = self._plans.get(using) or self._compile(using)
        values = [
            arguments[one.number] if isinstance(one, Place) else one for one in plan.parameters
        ]
        with connections[using].cursor() as cursor:
            cursor.execute(plan.sql, values)
            rows: list[Any] = [*cursor.fetchall()]  # MySQL has a tuple
        if plan.converters:
            rows = [_converted(row, plan, connections[using]) for row in rows]
        if not plan.names:
            return rows
        return [self._rows.model.from_db(using, plan.names, row) for row in rows]

    def first(self, *arguments: Any) -> Row | None:
        """Return the first row, of a query that has one at most or is cut. Raises DatabaseError."""
        return next(iter(self.all(*arguments)), None)

    def _compile(self, using: str) -> Plan:
        compiler = self._rows.query.clone().get_compiler(using)
        sql, parameters = compiler.as_sql()
        columns = [column for column, *_ in compiler.select]
        is_instance = not self._rows.query.values_select and not self._rows.query.annotations
        names = [column.target.attname for column in columns] if is_instance else []
        plan = Plan(sql, tuple(parameters), compiler.get_converters(columns), names)
        self._plans[using] = plan
        return plan


def _converted(row: tuple[Any, ...], plan: Plan, connection: Any) -> tuple[Any, ...]:
    values = list(row)
    for place, (converters, expression) in plan.converters.items():
        for convert in converters:
            values[place] = convert(values[place], expression, connection)
    return tuple(values)
