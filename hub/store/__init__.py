"""The one place that knows SQL: base (read, write), transaction, queries, writer, and the two databases."""
