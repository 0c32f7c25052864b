"""The HTTP service: one scan in, one decision out."""
