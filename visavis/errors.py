"""The base of what visavis raises on purpose."""

from __future__ import annotations


class VisavisError(Exception):
    """An expected failure whose message may be shown to the person who caused it."""
