"""Guests: named people of a practice, a school or a charity for which this agency answers, reached by secure e-mail."""
