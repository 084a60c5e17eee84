"""The hub's HTTP: one table of routes, and what stands behind each."""
