"""What lies in the storage: the trash, files without a row, and how long files are kept.

What cannot be undone goes by epochs, see `footfall.identity`, and by the storage's own clock.
"""
