"""What is said when somebody clearly spoke and nothing was understood: once, not again and again, unless recognition is to blame."""

from __future__ import annotations

from typing import Final

LEAST_S: Final = 0.8
"""So much of a voice is somebody who said something. A cough, a door or a cup is over sooner."""


class Misheard:
    """Follows the person's voice and what recognition made of it. Times: seconds of any one clock."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._spoke = 0.0
        self._said = False

    def voice(self, speaking: bool, now: float) -> None:
        """The person's voice begins or stops."""
        if speaking:
            self._since = now
        elif self._since is not None:
            self._spoke += now - self._since
            self._since = None

    def understood(self) -> None:
        """A question was heard, or typed."""
        self._said = False
        self._spoke = 0.0

    def failed(self) -> None:
        """Recognition failed: who speaks to it is no television, and is told each time."""
        self._said = False

    def nothing(self) -> bool:
        """The turn is over, and nothing was understood. Whether to say so."""
        clear, self._spoke = self._spoke >= LEAST_S, 0.0
        if not clear or self._said:
            return False
        self._said = True
        return True
