"""Dialogue: what the digital human answers."""
