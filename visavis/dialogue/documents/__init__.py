"""Documents as knowledge: from a file's bytes to blocks of text, from those to segments, and finding segments again.

All of it is pure: bytes and text in, text out. ``python -m visavis.dialogue.documents`` does the first two in a process of its
own, because files come from strangers and reading some of them could take for ever.
"""
