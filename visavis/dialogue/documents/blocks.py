"""What a document consists of once it is read."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.errors import VisavisError


class DocumentError(VisavisError):
    """The file cannot be read as what it claims to be; the message may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a heading: then ``level`` is 1 (the highest) to 6."""

    text: str
    level: int = 0
