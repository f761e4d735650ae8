"""What is computed from the events: counters, views by the hour, rankings.

`run` brings the projections forward: `totals` and `hourly` apply a `batch` of stored events, and
`rows` has their positions. `ranking` is computed by a task, `series` reads, and `compact` turns old
hours into days.
"""
