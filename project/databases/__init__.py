"""Special cases of one database: the MySQL backend and the time-out of PostgreSQL."""
