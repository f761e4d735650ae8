"""For operators: health, audit, dashboard, metrics."""
