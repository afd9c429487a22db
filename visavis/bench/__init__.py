"""Benchmarks: what each part costs, measured the way it is used. ``docs/performance.md`` explains the figures."""
