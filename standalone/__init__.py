"""Runs the whole service on one machine with nothing but Python: `python -m standalone`.

It starts the two stores, the web server and the Celery processes, and restarts each that dies. It
imports no app of the project and not Django: they run in processes of their own.
"""
