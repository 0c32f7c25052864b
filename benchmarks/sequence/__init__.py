"""How the eye for sequences is taught and marked."""
