"""Who viewed: agents and what they are, visitors, and what of both an event says."""
