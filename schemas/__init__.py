"""The wire contract: pure, without I/O and without cryptography."""
