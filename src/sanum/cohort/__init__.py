"""Who is in a study, what each file shows, and what it is used for."""
