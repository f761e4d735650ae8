"""For the views of a project: what records a view of what is shown."""
