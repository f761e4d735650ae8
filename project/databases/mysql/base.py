"""The backend; Django finds it by the name of this module.

By default MySQL takes `é` for `e` and `A` for `a`, even in tokens and usernames. Here text is
compared byte by byte, and only lookups that ask for it (`__iexact`, `__icontains`) ignore case.
"""

from django.db.backends.mysql import base, operations, schema

CASE_INSENSITIVE = ("iexact", "icontains", "istartswith", "iendswith")


class SchemaEditor(schema.DatabaseSchemaEditor):
    """Gives every table a binary collation without padding."""

    @property
    def sql_create_table(self) -> str:  # type: ignore[override]
        name = "utf8mb4_nopad_bin" if self.connection.mysql_is_mariadb else "utf8mb4_0900_bin"
        statement = schema.DatabaseSchemaEditor.sql_create_table
        return f"{statement} CHARACTER SET utf8mb4 COLLATE {name}"


class Operations(operations.DatabaseOperations):
    """Compares lower case in case-insensitive lookups, since the collation does not."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        cast = super().lookup_cast(lookup_type, internal_type)
        return f"LOWER({cast})" if lookup_type in CASE_INSENSITIVE and cast == "%s" else cast


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = SchemaEditor
    ops_class = Operations
    operators = {
        **base.DatabaseWrapper.operators,
        **dict.fromkeys(CASE_INSENSITIVE, "LIKE LOWER(%s)"),
    }
    pattern_ops = {
        **base.DatabaseWrapper.pattern_ops,
        "icontains": "LIKE LOWER(CONCAT('%%', {}, '%%'))",
        "istartswith": "LIKE LOWER(CONCAT({}, '%%'))",
        "iendswith": "LIKE LOWER(CONCAT('%%', {}))",
    }
