"""Films in a tree of categories, and what people say about them."""
