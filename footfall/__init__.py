"""Counts views of any model: record -> log -> event store -> one UPDATE a batch.

Names no other app's model.

A model becomes countable by a base class, `class Film(Countable)`, or by one line,
`counter = CounterField()`. A view of it is then counted by `record(film)`.
"""
