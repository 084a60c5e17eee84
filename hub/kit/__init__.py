"""Web plumbing and the like that imports nothing of ours; adapters may use it."""
