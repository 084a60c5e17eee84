"""An outside witness: a small server of its own that cosigns logs which only ever grow.  It needs no hub's folder."""
