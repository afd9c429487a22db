"""What hair and clothes there are."""

from __future__ import annotations

STYLES = {"hair": {"bob": "hair", "short": "hair_short"}, "clothes": {"blazer": "clothes", "knit": "clothes_man"}}
"""Scene scripts by the styles a character file may name: those of hair have grow(human, scalp, clothes, look), those of
clothes dress(human, look)."""
