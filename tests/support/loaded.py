"""What processes of `tests.support.processes` have loaded when they begin."""

import gc

import django
import pytest  # noqa: F401  # jobs stand in modules of tests

import project.celery  # noqa: F401

django.setup()

from django.core import checks  # noqa: E402

# Every command of manage.py begins with it; the second time it takes a third.
checks.run_checks()

# The collector of a forked process writes to no page that it shares, and looks at none of this.
gc.freeze()
