"""Each adapter in a process of its own, which has its own messages and nothing else of the gateway's."""
