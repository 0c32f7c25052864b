"""Which sequence a scan is, by its looks."""

from __future__ import annotations

from sanum.prepare.sequence.eye import recognise

__all__ = ["recognise"]
