"""What processes of `tests.support.processes` have loaded when they begin."""

import gc

import django
import pytest  # noqa: F401  # jobs stand in modules of tests

import project.celery

django.setup()

import project.urls  # noqa: E402, F401  # which every command of manage.py checks

# The collector of a forked process writes to no page that it shares, and looks at none of this.
gc.freeze()
