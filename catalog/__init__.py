"""What is viewed: pages with contents, books and films.

Books and films are viewed on their own; they are no contents of pages.
"""
