"""`python -m project.celery_worker`: what `celery --app project worker` does, started sooner.

Celery's command loads all of its others first, with their shell and Flower; and Python's garbage
collector looks again and again through what is loaded. That is a third of the start.
"""

import gc

gc.disable()

from celery.bin.base import CLIContext  # noqa: E402
from celery.bin.worker import worker  # noqa: E402

from project.celery import app  # noqa: E402

if __name__ == "__main__":
    app.loader.import_default_modules()
    gc.freeze()
    gc.enable()
    worker.params.extend(app.user_options["worker"])
    worker(obj=CLIContext(app=app, no_color=None, workdir=None, quiet=True))
