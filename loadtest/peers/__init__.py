"""A small Django project with the same page, counted in the ways that people count views."""
