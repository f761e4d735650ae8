"""What Celery runs. No logic here."""

from uuid import UUID

from celery import shared_task

from catalog.films import generation


@shared_task(name="films.generate")
def generate(pk: str) -> None:
    """Make what is left of a generation, unless another worker is at it."""
    generation.carry_on(UUID(pk))


@shared_task(name="films.sweep")
def sweep() -> None:
    """Start generations that stand still, and remove old ones."""
    generation.sweep()
