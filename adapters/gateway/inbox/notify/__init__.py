"""Telling people that something waits for them, in fixed words that say nothing else."""
