"""The backend; Django finds it by the name of this module.

By default MySQL takes `é` for `e` and `A` for `a`, in a token as in the name of a user. Here texts
are compared as they are, and only who asks for it (`__iexact`, `__icontains`) ignores the case.
"""

from django.db.backends.mysql import base, operations, schema

IGNORING_CASE = ("iexact", "icontains", "istartswith", "iendswith")


class SchemaEditor(schema.DatabaseSchemaEditor):
    """Gives every table a collation that compares texts as they are, and knows no padding."""

    @property
    def sql_create_table(self) -> str:  # type: ignore[override]  # the server decides
        name = "utf8mb4_nopad_bin" if self.connection.mysql_is_mariadb else "utf8mb4_0900_bin"
        plain = schema.DatabaseSchemaEditor.sql_create_table
        return f"{plain} CHARACTER SET utf8mb4 COLLATE {name}"


class Operations(operations.DatabaseOperations):
    """Looks at lower case where the case is to be ignored: no collation does it any more."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        plain = super().lookup_cast(lookup_type, internal_type)
        return f"LOWER({plain})" if lookup_type in IGNORING_CASE and plain == "%s" else plain


class DatabaseWrapper(base.DatabaseWrapper):
    """See the module."""

    SchemaEditorClass = SchemaEditor
    ops_class = Operations
    operators = {
        **base.DatabaseWrapper.operators,
        **dict.fromkeys(IGNORING_CASE, "LIKE LOWER(%s)"),
    }
    pattern_ops = {
        **base.DatabaseWrapper.pattern_ops,
        "icontains": "LIKE LOWER(CONCAT('%%', {}, '%%'))",
        "istartswith": "LIKE LOWER(CONCAT({}, '%%'))",
        "iendswith": "LIKE LOWER(CONCAT('%%', {}))",
    }
