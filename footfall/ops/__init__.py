"""For operators: facts, health, lag, readiness, audit, figures, metrics, adjustments, retention."""
