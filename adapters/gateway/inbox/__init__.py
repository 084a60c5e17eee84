"""The practitioners' inbox: the pages that the gateway serves to the agency's own people."""
