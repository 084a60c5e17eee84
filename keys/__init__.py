"""All cryptography, so that an auditor reads one folder."""
