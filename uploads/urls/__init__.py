"""The addresses of files: those of the API, and the same at the root, for people, too."""
