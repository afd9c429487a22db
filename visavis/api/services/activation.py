"""Activation codes: what a device at a fixed place opens its room with, again and again.

A code is bound to a room, a robot and the first device that uses it. The device names itself by a secret of its own
(X-Device-Id), of which only the hash is kept. The code itself is kept twice: encrypted, since operators may see it again, and
hashed, as the id of a small record that leads to it, so that finding it never decrypts anything.
"""

from __future__ import annotations

import re
import secrets

from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import attempts, records
from visavis.store.database import Database
from visavis.store.records import Record, Transaction
from visavis.store.vault import digest

KIND = "active_code"
HASH = "active_code_hash"
DEVICE = "active_code_device"
DAY_S = 86400.0

# Crockford's 32 signs: nobody mistakes one for another. 20 of them are 100 random bits.
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS, _GROUP = 4, 5
_FORM = re.compile(rf"[{_SIGNS}]{{{_GROUP}}}(?:-[{_SIGNS}]{{{_GROUP}}}){{{_GROUPS - 1}}}")
_DEVICE = re.compile(r"[\x21-\x7e]{16,128}")


def new_code() -> str:
    """A fresh code, such as ``7K2QM-0XR4B-C9TNA-J5HEW``."""
    return "-".join("".join(secrets.choice(_SIGNS) for _ in range(_GROUP)) for _ in range(_GROUPS))


def is_code(text: str) -> bool:
    """Whether it has the form of an activation code (in whatever case). One-time codes never have it: they are longer."""
    return _FORM.fullmatch(text.upper()) is not None


def pointer(record: Record, code: str) -> Record:
    """The record by which ``code`` is found."""
    return Record(
        id=digest(code),
        project_id=record.project_id,
        kind=HASH,
        document={},
        parent_id=record.id,
        created_at=record.updated_at or record.created_at,
    )


async def forget(steps: Transaction, record: Record) -> None:
    """The code that the record has had opens nothing any more."""
    await steps.remove(record.project_id, HASH, [digest(str(record.secrets["active_code"]))])


async def forget_device(steps: Transaction, record: Record) -> None:
    """The next device that uses the code is its device."""
    await steps.remove(record.project_id, DEVICE, [record.id])


def expires_at(record: Record) -> float | None:
    """When the code ends; None: never."""
    days = int(record.document["valid_period"])
    return float(record.document["issued_at"]) + days * DAY_S if days else None


async def find(database: Database, project_id: str, code: str) -> Record | None:
    """The record of a code."""
    lead = await records.get(database, project_id, HASH, digest(code.upper()))
    return None if lead is None else await records.get(database, project_id, KIND, lead.parent_id)


async def open_room(
    database: Database, record: Record, *, room_id: str, robot_id: str, device: str, host: str, now: float
) -> str:
    """Let a device in, and answer the id of the code's robot. The first device that comes is the code's device.

    Args:
        robot_id: the robot that is asked for; empty: whichever it is.
        device: the device's secret.
        host: where it calls from. Failures are counted by code and address, so that nobody can lock out another's device.

    Raises:
        ApiError: another room, robot or device; too many of these; expired.
    """
    if not _DEVICE.fullmatch(device):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "X-Device-Id: 16 to 128 printable ASCII characters without spaces")
    key = f"{KIND}:{record.project_id}:{record.id}:{host}"
    if wait := await attempts.locked_for(database, key, now):
        raise _locked(wait)
    ends = expires_at(record)
    if ends is not None and ends <= now:
        raise ApiError(ErrorCode.ACTIVE_CODE_EXPIRED)
    fits = room_id == record.document["room_id"] and robot_id in ("", record.parent_id)
    if not fits or not await _is_its_device(database, record, digest(device), now):
        if wait := await attempts.failed(database, key, now, attempts.Rule()):
            raise _locked(wait)
        raise ApiError(ErrorCode.ACTIVE_CODE_FAILED)
    await attempts.forget(database, key)
    return record.parent_id


def _locked(wait: float) -> ApiError:
    return ApiError(ErrorCode.ACTIVE_CODE_LOCKED, headers={"Retry-After": str(int(wait) + 1)})


async def _is_its_device(database: Database, record: Record, hashed: str, now: float) -> bool:
    async with records.transaction(database) as steps:
        if await steps.get(record.project_id, HASH, digest(str(record.secrets["active_code"]))) is None:
            return False  # reset or deleted since it was looked up
        known = await steps.get(record.project_id, DEVICE, record.id)
        if known is not None:
            return str(known.document["hash"]) == hashed
        new = Record(
            id=record.id,
            project_id=record.project_id,
            kind=DEVICE,
            document={"hash": hashed},
            parent_id=record.id,
            created_at=now,
        )
        await steps.create(new)
        return True
