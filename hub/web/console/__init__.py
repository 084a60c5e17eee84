"""The administrator's console: server-rendered pages over what the hub knows, which is metadata only."""
