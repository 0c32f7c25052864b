"""Measures of image quality, taken from a scan before preparation changes it. docs/quality.md has the formulas."""
