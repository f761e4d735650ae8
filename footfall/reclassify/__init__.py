"""Agents are classified anew, and the past follows: `counters reclassify`.

`changes` finds what list and rules say now, and changes the verdicts, in one transaction that notes
the position of each projection. What is stored after it is counted with the new verdicts. `past`
corrects what is before it, in chunks: `moves` has what the new verdicts change, by target and hour.
"""
