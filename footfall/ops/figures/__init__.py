"""What is viewed, for the dashboard: figures, charts, ranges of time, bursts, CSV."""
