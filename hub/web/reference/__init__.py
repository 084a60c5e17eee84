"""The API's description as pages, made from the same document that programs read."""
