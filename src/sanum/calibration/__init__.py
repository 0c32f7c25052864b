"""From healthy scores to decisions, and from maps to findings. No rule ever looks at a lesion."""
