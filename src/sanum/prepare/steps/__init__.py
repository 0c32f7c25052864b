"""Single preparation steps, one a file; none imports another."""
