"""Books. Anyone reads them, authenticated users write."""
