"""The hub: routes sealed envelopes, keeps what is owed, proves what happened; holds no agency's private key."""
