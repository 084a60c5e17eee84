"""Each kind of agency's mapping from its own records to message types."""
