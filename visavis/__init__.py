"""visavis: a self-hosted, real-time interactive digital human server."""

__version__ = "0.1.0"
