"""What is viewed: pages with contents, books and films."""
