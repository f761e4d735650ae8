"""`make faults`: the whole service under load, and every few seconds something in it breaks.

Real processes, real signals, a proxy before Redis. What was answered must be counted, exactly once;
`docs/guarantee.md` says how to read the table at the end.
"""
