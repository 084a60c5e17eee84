"""The front door for the NHS's MESH clients: what they send and collect are our sealed envelopes, receipts and notices."""
