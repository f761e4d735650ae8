"""The addresses of files: in the API, and at the root also as pages."""
