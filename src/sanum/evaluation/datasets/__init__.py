"""The field's public data sets: where each is to be had, and how its folders become cases."""
