"""Slows down the guessing of passwords and one-time codes, and projects that ask too often."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass

from visavis.contract.errors import ApiError, ErrorCode


def source(host: str) -> str:
    """What failures are counted by: the address, of IPv6 its network, because whoever has one address has 2**64."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last: float = 0.0


class Throttle:
    """Counts failures by key; after ``limit`` of them the key is locked until ``lock_s`` after its last failure.

    In memory and bounded: the keys that failed longest ago are forgotten first. What must survive a restart is counted
    by ``visavis.store.attempts``.
    """

    def __init__(self, limit: int = 5, lock_s: float = 300.0, size: int = 10_000) -> None:
        self._limit = limit
        self._lock_s = lock_s
        self._size = size
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def check(self, key: str, now: float, code: ErrorCode = ErrorCode.THROTTLED) -> None:
        """Raises ApiError while the key is locked."""
        record = self._records.get(key)
        if record is None:
            return
        left = record.last + self._lock_s - now
        if left <= 0:
            del self._records[key]
        elif record.failures >= self._limit:
            raise ApiError(code, headers={"Retry-After": str(math.ceil(left))})

    def failed(self, key: str, now: float) -> None:
        """Count a failure."""
        record = self._records.setdefault(key, _Record())
        record.failures += 1
        record.last = now
        self._records.move_to_end(key)
        while len(self._records) > self._size:
            self._records.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        self._records.pop(key, None)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rate:
    """A token bucket a key: ``burst`` requests at once, and ``per_s`` a second for long. ``per_s`` 0: any number.

    In memory and bounded: the key that asked longest ago is forgotten first, which can only be to its advantage.
    """

    def __init__(self, per_s: float, burst: int, size: int = 10_000) -> None:
        self._per_s = per_s
        self._burst = burst
        self._size = size
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """One request at the time ``now`` (seconds): 0 if it may go on, else after how many seconds one may."""
        if not self._per_s:
            return 0.0
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(self._burst), now)
            while len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        # A clock that was set back gives nothing, and takes nothing.
        bucket.left = min(float(self._burst), bucket.left + max(0.0, now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return 0.0
        return (1.0 - bucket.left) / self._per_s

    def admit(self, key: str, now: float) -> None:
        """The same; raises ApiError (429, with Retry-After in whole seconds) when the request must wait."""
        if wait := self.take(key, now):
            raise ApiError(ErrorCode.THROTTLED, headers={"Retry-After": str(math.ceil(wait))})
