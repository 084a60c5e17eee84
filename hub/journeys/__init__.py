"""Follow one envelope: what happened to it, the proof of that as files, and how anyone checks them."""
