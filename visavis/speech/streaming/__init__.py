"""Kokoro in windows: its slow last part speaks a sentence piece by piece, so that the first piece sounds at once."""
