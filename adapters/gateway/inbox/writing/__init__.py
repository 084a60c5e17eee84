"""Writing a message: kept encrypted while it is written, addressed by the agreement, sent once."""
