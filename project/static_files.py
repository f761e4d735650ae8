"""Headers of static files."""

from wsgiref.headers import Headers

SCRIPT = "footfall.js"
"""The script that other sites load, on each of their pages."""


def add_headers(headers: Headers, path: str, url: str) -> None:
    """Let browsers keep the script for a day; whitenoise lets them keep others for a minute."""
    if url.endswith(f"/{SCRIPT}"):
        headers["Cache-Control"] = "public, max-age=86400, stale-while-revalidate=604800"
