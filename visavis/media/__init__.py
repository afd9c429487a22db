"""Clocks, encoders, resampling and recording of sound and pictures."""
