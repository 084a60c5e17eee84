"""The hub's decisions: values in, values out; no clock, no database, no network."""
