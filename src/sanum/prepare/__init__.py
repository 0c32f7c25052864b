"""Brings scans onto the model grid and maps back."""
