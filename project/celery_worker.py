"""`python -m project.celery_worker`: what `celery --app project worker` does, started sooner.

Celery's command loads all of its others first, with their shell and Flower; and Python's garbage
collector looks again and again through what is loaded. That is a third of the start.
"""

import gc


def main() -> None:
    gc.disable()
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
