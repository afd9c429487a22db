"""Mouths painted by neural networks that a user brings: one small interface, and a runner for ONNX models."""
