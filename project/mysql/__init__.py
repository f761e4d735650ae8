"""Django's backend for MySQL and MariaDB, on PyMySQL, and with PostgreSQL's idea of a text."""

import pymysql

pymysql.install_as_MySQLdb()
