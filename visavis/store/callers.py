"""Memory of who calls: access keys and tokens as they were last read, dropped the moment one of them changes.

Every signed request needs its key; asking the database each time would be most of a small request's cost. But a key that
is revoked, by whatever process, must not open anything from then on. So each change of identities puts a new *stamp* file
beside the database, after its transaction: a request looks at the stamp first (one ``stat``), and what was read under another
stamp is forgotten. That works where the database is a file of this machine; for any other database nothing is remembered.
"""

from __future__ import annotations

import os
import secrets
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

_MOST: Final = 4096

Stamp = tuple[int, int, int]


class Callers:
    """What was found, by what was looked for. For one event loop.

    Args:
        file: the stamp; None: remember nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._path = str(file)  # asked for with every request, and a Path becomes a text each time
        self._stamp: Stamp | None = None
        self._found: OrderedDict[str, Any] = OrderedDict()

    def stamp(self) -> Stamp | None:
        """To be taken before the database is asked, and given to :meth:`remember`."""
        if self._file is None:
            return None
        try:
            now = os.stat(self._path)
            stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
        except FileNotFoundError:
            stamp = (0, 0, 0)
        if stamp != self._stamp:
            self._found.clear()
            self._stamp = stamp
        return stamp

    def known(self, key: str, *, look: bool = True) -> Any:
        """What is remembered of ``key``; None: ask the database.

        Args:
            look: False: without a look at the stamp. For what never changes while it is there, in the course of a request
                that began with a look.
        """
        if look:
            self.stamp()
        return self._found.get(key)

    def remember(self, key: str, value: Any, stamp: Stamp | None) -> None:
        """``value`` was read after ``stamp`` was taken. Nothing is kept when identities changed meanwhile."""
        if stamp is None or stamp != self.stamp():
            return
        self._found[key] = value
        while len(self._found) > _MOST:
            self._found.popitem(last=False)

    def changed(self) -> None:
        """Identities changed, and the change is committed: every process forgets."""
        if self._file is None:
            return
        fresh = self._file.with_name(f"{self._file.name}.{secrets.token_hex(8)}")
        # Of random length: two changes within one tick of the file system's clock look different, too.
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(bytes(1 + secrets.randbelow(4096)))
        fresh.replace(self._file)
