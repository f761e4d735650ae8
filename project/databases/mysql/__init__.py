"""Django's backend for MySQL and MariaDB, on PyMySQL, comparing text as PostgreSQL does."""

import pymysql

pymysql.install_as_MySQLdb()
