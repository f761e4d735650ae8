"""What is computed from the events: counters, hourly views, rankings.

Computed by `totals` (in the flush) and `ranking` (a task); read by `series`; old hours compacted by
`compact`.
"""
