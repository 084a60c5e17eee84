"""Copies for people: what a message says, in the words of its schema, without what the reader may not have."""
