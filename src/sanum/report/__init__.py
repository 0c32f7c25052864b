"""Pages and pictures that a person reads: the case report, the contact sheet, curves."""
