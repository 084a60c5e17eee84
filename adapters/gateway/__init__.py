"""The process that an agency runs: holds its keys, runs its adapters, speaks to the hub."""
