"""The past, counted again from the base and the event store.

`counting` counts into a table of its own, `counters` and `rollups` compare and correct with it, and
`repair`, `rebuild` and `adopt` say how far that goes. `comparison` is the quick one, of counters
with rollups. Expected at any position: the recount at its boundary, and the `gap` between the two.
"""
