"""Avatars: the pack format, the studio that bakes packs, and the compositor that draws them."""
