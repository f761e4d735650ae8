"""What is computed from the events: counters, hourly views, rankings."""
