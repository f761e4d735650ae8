"""Films, their categories, and comments on them."""
