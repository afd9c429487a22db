"""``visavis bench response``: a real Chromium asks recorded questions aloud and listens (docs/bench-response.md).

``recordings``: what is said, from a manifest; ``plan``: in which order; ``server`` and ``model``: what is measured, and a scripted
language model; ``visitor`` and ``response.js``: the browser; ``turns``: one exchange after the other; ``hearing`` and ``mouth``: what
the received sound and picture show; ``judging``: what of it counts; ``report``: the figures; ``plot``: the picture of them.
"""
