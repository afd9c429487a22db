"""Who goes first when two cores are not enough: pictures, then hearing, then speaking ahead of what is heard."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Final

RECOGNITION: Final = 3
SYNTHESIS: Final = 6


def yield_to_pictures(niceness: int) -> None:
    """Lower the calling thread's priority (on Linux niceness belongs to the thread; those it starts inherit it).

    A picture is due every 40 ms and takes 6; an utterance that takes 20 ms longer is not noticed.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
