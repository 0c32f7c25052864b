"""Figures that can be compared: in the brain, by subject, with prevalence and interval beside them."""
