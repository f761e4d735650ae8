"""How much a load needs."""
