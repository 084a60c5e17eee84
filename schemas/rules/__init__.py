"""The agreement at work: duties opened and settled, clocks, figures.  One engine for everybody."""
