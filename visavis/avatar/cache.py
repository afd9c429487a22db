"""Arrays that are dear to make, kept in files that all processes of a machine map: made once, in memory once.

A file is built under a lock by whoever needs it first, appears under its name only when it is whole, and is checked when it
is opened; a damaged one is made anew. Together the files take no more than a limit: those used longest ago go first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from visavis import log

_log = log.get("scenes")

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

MAGIC: Final = b"VISAVIS-SCENE-1\n"
LIMIT: Final = 2 * 2**30
"""Bytes that all files may take together, unless :func:`configure` says otherwise."""
SUFFIX: Final = ".scene"
_LOCKS: Final = 16
_UNCHECKED: Final = 256 * 2**20
"""Arrays larger than this (films) are not read through when they are opened."""
_HEAD: Final = struct.Struct("<I")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Place:
    folder: Path | None = None
    limit: int = LIMIT


def configure(folder: Path, limit: int = LIMIT) -> None:
    """Keep files in ``folder`` from now on, at most ``limit`` bytes of them. Only the server may write there."""
    _Place.folder, _Place.limit = folder, limit


def folder() -> Path:
    """Where files are kept: the folder configured, else ``visavis/scenes`` in the user's cache."""
    return _Place.folder or _home() / "scenes"


def code_folder() -> Path:
    """Where compiled kernels are kept: the user's cache, which outlives any server's data; else beside the files."""
    try:
        home = _home()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(home, os.W_OK):
            return home
    except (OSError, RuntimeError):
        pass
    return folder()


def _home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "visavis"


class Stored:
    """Named arrays, read-only. :attr:`made`: they were made just now, not found."""

    def __init__(self, arrays: Arrays, file: _Mapped | None, made: bool) -> None:
        self._arrays, self._file, self.made = arrays, file, made

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def private(self, name: str) -> Array:
        """A copy of the array that may be written to; only the pages that are written to take memory of their own."""
        if self._file is None:
            return self._arrays[name].copy()
        return self._file.private(name)


class _Mapped:
    """A file whose arrays are mapped."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError or OSError if it is missing or damaged."""
        with path.open("rb") as file:
            self._descriptor = os.dup(file.fileno())
            size = os.fstat(file.fileno()).st_size
            start = len(MAGIC) + _HEAD.size
            head = file.read(start)
            if len(head) != start or not head.startswith(MAGIC):
                raise ValueError("not a file of this kind")
            (length,) = _HEAD.unpack_from(head, len(MAGIC))
            described = json.loads(file.read(length))
        if described["size"] != size:
            raise ValueError("it was cut short")
        self._entries: dict[str, tuple[str, list[int], int]] = described["arrays"]
        self._data = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ)
        if _checksum(self.arrays()) != described["crc"]:
            raise ValueError("its content is damaged")

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            os.close(self._descriptor)

    def arrays(self) -> Arrays:
        found = {}
        for name, (kind, shape, offset) in self._entries.items():
            count = int(np.prod(shape))
            found[name] = np.frombuffer(self._data, kind, count, offset).reshape(shape)
        return found

    def private(self, name: str) -> Array:
        kind, shape, offset = self._entries[name]
        count = int(np.prod(shape))
        if not count:
            return np.empty(shape, kind)
        begin = offset - offset % mmap.ALLOCATIONGRANULARITY
        length = offset - begin + count * np.dtype(kind).itemsize
        part = mmap.mmap(self._descriptor, length, access=mmap.ACCESS_COPY, offset=begin)
        return np.frombuffer(part, kind, count, offset - begin).reshape(shape)


def stored(name: str, make: Callable[[], Arrays]) -> Stored:
    """The arrays called ``name`` (letters and digits), made by ``make`` if they are not there.

    Whatever ``make`` raises is raised. Where files cannot be written, the arrays are kept in this process's memory only.
    """
    path = folder() / (name + SUFFIX)
    found = _opened(path)
    if found is not None:
        return Stored(found.arrays(), found, made=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (path.parent / f"lock-{zlib.crc32(name.encode()) % _LOCKS}").open("w")
    except OSError as error:
        return _in_memory(path, make(), error)
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _opened(path)
        if found is not None:
            return Stored(found.arrays(), found, made=False)
        arrays = make()
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            _write(partial, arrays)
            partial.replace(path)
            found = _opened(path)
        except OSError as error:
            return _in_memory(path, arrays, error)
        finally:
            partial.unlink(missing_ok=True)
        _prune(path)
    if found is None:
        return _in_memory(path, arrays, OSError("what was written cannot be read"))
    return Stored(found.arrays(), found, made=True)


def _in_memory(path: Path, arrays: Arrays, error: OSError) -> Stored:
    _log.warning("prepared pictures are not kept", file=path.name, reason=error.strerror or str(error))
    for array in arrays.values():
        array.flags.writeable = False
    return Stored(arrays, None, made=True)


def _opened(path: Path) -> _Mapped | None:
    try:
        found = _Mapped(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("a prepared picture is damaged and made anew", file=path.name, reason=str(error))
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def _write(path: Path, arrays: Arrays) -> None:
    """Arrays begin at whole pages, so that each can be mapped by itself."""
    page = mmap.ALLOCATIONGRANULARITY
    entries: dict[str, tuple[str, tuple[int, ...], int]] = {}
    # The length of the head depends on the offsets; a head of whole pages with room to spare does not.
    begin = page * (1 + sum(len(name) + 160 for name in arrays) // page)
    at = begin
    for name, array in arrays.items():
        entries[name] = (array.dtype.str, array.shape, at)
        at += -(-array.nbytes // page) * page
    with path.open("wb") as file:
        file.seek(begin)
        for array in arrays.values():
            file.write(_bytes(array))
            file.write(bytes(-array.nbytes % page))
        described = json.dumps({"arrays": entries, "size": at, "crc": _checksum(arrays)}).encode()
        if len(MAGIC) + _HEAD.size + len(described) > begin:
            raise OSError("too many arrays for the head")
        file.seek(0)
        file.write(MAGIC + _HEAD.pack(len(described)) + described)


def _bytes(array: Array) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checksum(arrays: Arrays) -> int:
    crc = 0
    for array in arrays.values():
        if array.nbytes <= _UNCHECKED:
            crc = zlib.crc32(_bytes(array), crc)
    return crc


def _prune(new: Path) -> None:
    """Drop the files that were used longest ago, until all fit the limit."""
    files = []
    for path in new.parent.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= _Place.limit:
            return
        if path != new:
            # Who has it mapped keeps it; the name is gone.
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size


class Kept(Generic[K, V]):
    """A few values by key, the least recently used one dropped. Safe for threads; a value is made once.

    Values of different keys are made at the same time: a slow one does not hold up the others.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._making: dict[K, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of ``key``, made by ``make`` if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            value = make()
            with self._lock:
                self._values[key] = value
                self._making.pop(key, None)
                while len(self._values) > self._size:
                    self._values.popitem(last=False)
            return value

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
