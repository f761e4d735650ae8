"""`python -m project.celery_worker`: what `celery --app project worker` does, started sooner.

Celery's command loads all of its others first, with their shell and Flower; and Python's garbage
collector looks again and again through what is loaded. That is a third of the start. Its system
checks load the URLs, with all views, which takes 14 MB; `migrate` has run the same ones.
"""

import gc
import os


def main() -> None:
    gc.disable()
    os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
    from celery.bin.base import CLIContext
    from celery.bin.worker import worker

    from project.celery import app

    app.loader.import_default_modules()
    gc.freeze()
    gc.enable()
    worker.params.extend(app.user_options["worker"])
    worker(obj=CLIContext(app=app, no_color=False, workdir=None, quiet=True))


if __name__ == "__main__":
    main()
