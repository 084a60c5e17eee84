"""The agency side: gateway and adapters.  Knows the wire, never the hub's insides."""
