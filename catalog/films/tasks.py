"""Celery tasks of films."""

from uuid import UUID

from celery import shared_task

from catalog.films import generation_jobs


@shared_task(name="films.generate")
def generate(pk: str) -> None:
    """Run a generation job, unless another worker does."""
    generation_jobs.run(UUID(pk))


@shared_task(name="films.sweep")
def sweep() -> None:
    """Start stalled generation jobs again, and delete old ones."""
    generation_jobs.sweep()
