"""Tests of tables, discovery and splits."""
