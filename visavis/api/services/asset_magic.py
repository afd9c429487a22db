"""What kind of file it is, by its first bytes."""

from __future__ import annotations

HEAD = 16
"""Bytes that suffice."""


def kind_of(head: bytes) -> str:
    """mp4, webm, wav, mp3, ogg, flac, png, jpg, by a file's first 16 bytes; empty: none of them."""
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:3] == b"ID3" or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 == 0xE2):
        return "mp3"
    starts = {
        b"\x1a\x45\xdf\xa3": "webm",
        b"OggS": "ogg",
        b"fLaC": "flac",
        b"\x89PNG": "png",
        b"\xff\xd8\xff": "jpg",
    }
    return next((kind for start, kind in starts.items() if head.startswith(start)), "")
