"""`make foreign`: the wheel in projects that were written elsewhere, killed under load."""
