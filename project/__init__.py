"""Puts the rooms together: settings, addresses, web server, Celery. Nothing imports it."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
