"""Middleware: what runs between the web server and the views, for WSGI and for Django."""
