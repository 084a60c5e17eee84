"""Messages as people read them: their content by its schema, what changed between versions, attachments as pictures."""
