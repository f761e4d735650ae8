"""What is computed from the events: counters, views by the hour, visitors by day, rankings.

`run` brings the projections forward: `totals`, `hourly` and `visitors` apply a `batch` of stored
events, and `rows` has their positions. `kept` has the counters of models whose own table does
not have them, and `copies` writes those into a column in another database. `ranking` is computed by
a task, `series` reads, and `compact` turns old hours into days.
"""
