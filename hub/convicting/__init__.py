"""What agencies' evidence proves of a hub, judged from the officers' first keys alone: facts, and what contradicts what."""
