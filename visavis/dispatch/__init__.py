"""Dispatch: where a job runs."""
