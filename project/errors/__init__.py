"""How errors are answered, shown in debug mode, and logged."""
