"""The audit: are counters, rollups, sketches, event store and positions what they must be?"""
