"""Assets between projects: transfers that both sides agree to, and the information that a copy is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.errors import VisavisError
from visavis.store import asset_files as files
from visavis.store.assets import AssetFile, UploadedAsset, add, load, make_room, put, room_that_shows
from visavis.store.database import Database
from visavis.store.tables import asset_files, asset_replications, asset_transfers, assets

PROCESSING = "PROCESSING"


class TransferStateError(VisavisError):
    """The transfer has ended; the message is its state."""


class NotMovableError(VisavisError):
    """An asset cannot change hands; the message says which and why."""


class UsedBeforeError(VisavisError):
    """A replication information serves once."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer. ``assets``: ``[{asset_id, asset_name, asset_type}]`` as they were. Times in epoch seconds."""

    id: str
    kind: str
    source_id: str
    target_id: str
    assets: list[dict[str, str]]
    state: str
    memo: str
    activates: bool
    billed: bool
    created_at: float
    expires_at: float
    reason: str = ""
    error_code: str = ""
    error_msg: str = ""
    accepted: bool = False
    finished_at: float | None = None

    @property
    def asset_ids(self) -> list[str]:
        """What is to change hands."""
        return [asset["asset_id"] for asset in self.assets]


def _transfer(row: Row[Any]) -> Transfer:
    return Transfer(**{name: getattr(row, name) for name in Transfer.__dataclass_fields__})


def _values(transfer: Transfer) -> dict[str, Any]:
    return {name: getattr(transfer, name) for name in Transfer.__dataclass_fields__}


async def _movable(connection: AsyncConnection, source_id: str, ids: Sequence[str]) -> list[UploadedAsset]:
    """The source's assets of these ids, locked. Raises NotMovableError."""
    found = {asset.id: asset for asset in await load(connection, assets.c.id.in_(ids), locked=True)}
    result = []
    for asset_id in ids:
        asset = found.get(asset_id)
        if asset is None or asset.project_id != source_id:
            raise NotMovableError(f"no asset {asset_id!r} here")
        if asset.state not in ("ACTIVED", "UNACTIVED", "WAITING_DELETE"):
            raise NotMovableError(f"the asset {asset_id!r} is {asset.state}")
        if room := await room_that_shows(connection, source_id, asset_id):
            raise NotMovableError(f"the asset {asset_id!r} is used by the room {room!r}")
        result.append(asset)
    return result


async def offer(database: Database, transfer: Transfer) -> Transfer:
    """Store a new transfer, with its assets as they are now.

    Raises:
        NotMovableError: an asset is not the source's, is not ready, is shown by a room, or is offered already.
    """
    async with database.write() as connection:
        moving = await _movable(connection, transfer.source_id, transfer.asset_ids)
        query = select(asset_transfers).where(
            asset_transfers.c.source_id == transfer.source_id,
            asset_transfers.c.state == PROCESSING,
            asset_transfers.c.expires_at > transfer.created_at,
        )
        for row in await connection.execute(query):
            if both := sorted({one["asset_id"] for one in row.assets} & set(transfer.asset_ids)):
                raise NotMovableError(f"the asset {both[0]!r} is in the transfer {row.id} already")
        shown = [{"asset_id": one.id, "asset_name": one.name, "asset_type": one.kind} for one in moving]
        whole = replace(transfer, assets=shown)
        await connection.execute(insert(asset_transfers).values(**_values(whole)))
        return whole


async def get(database: Database, project_id: str, transfer_id: str) -> Transfer | None:
    """The transfer of that id, if the project takes part in it."""
    query = select(asset_transfers).where(asset_transfers.c.id == transfer_id, _part_of(project_id))
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _transfer(row)


def _part_of(project_id: str, role: str = "ALL") -> Any:
    sends, receives = asset_transfers.c.source_id == project_id, asset_transfers.c.target_id == project_id
    return {"SENDER": sends, "RECEIVER": receives}.get(role, or_(sends, receives))


async def listing(
    database: Database, project_id: str, role: str, kind: str, states: Sequence[str], offset: int, limit: int
) -> tuple[int, list[Transfer]]:
    """(how many there are, a page of them, newest first); ``role`` SENDER, RECEIVER or ALL; no ``states``: any."""
    query = select(asset_transfers).where(_part_of(project_id, role), asset_transfers.c.kind == kind)
    if states:
        query = query.where(asset_transfers.c.state.in_(states))
    page = query.order_by(asset_transfers.c.created_at.desc(), asset_transfers.c.id).offset(offset).limit(limit)
    async with database.read() as connection:
        count = (await connection.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
        return count, [_transfer(row) for row in await connection.execute(page)]


async def _open(connection: AsyncConnection, transfer_id: str, now: float) -> Transfer:
    query = select(asset_transfers).where(asset_transfers.c.id == transfer_id).with_for_update()
    transfer = _transfer((await connection.execute(query)).one())
    if transfer.state != PROCESSING or transfer.expires_at <= now:
        raise TransferStateError(transfer.state if transfer.state != PROCESSING else "FAIL")
    return transfer


async def end(database: Database, transfer_id: str, state: str, reason: str, now: float) -> None:
    """Reject or cancel.

    Raises:
        TransferStateError: it has ended.
    """
    async with database.write() as connection:
        transfer = await _open(connection, transfer_id, now)
        await _put(connection, replace(transfer, state=state, reason=reason, finished_at=now))


async def agree(database: Database, transfer_id: str, now: float) -> None:
    """The first of the two steps in which a billed transfer is accepted.

    Raises:
        TransferStateError: it has ended.
    """
    async with database.write() as connection:
        await _put(connection, replace(await _open(connection, transfer_id, now), accepted=True))


async def accept(
    database: Database, transfer_id: str, most: int, now: float, error_code: str
) -> tuple[Transfer, list[AssetFile]]:
    """The assets and their files are the target's from now on, all or none: if one cannot be, the transfer is FAIL.

    The transfer as it then is, and uploads that were not finished: those end here, since whoever was to send them is not
    the owner any more.

    Args:
        most: bytes that the target's files may take; 0: any number.
        error_code: of a failure.

    Raises:
        TransferStateError: it has ended.
        NoSpaceError, TooManyAssetsError: the target has no room. The transfer stays as it is.
    """
    async with database.write() as connection:
        transfer = await _open(connection, transfer_id, now)
        try:
            moving = await _movable(connection, transfer.source_id, transfer.asset_ids)
        except NotMovableError as error:
            failed = replace(transfer, state="FAIL", error_code=error_code, error_msg=str(error), finished_at=now)
            await _put(connection, failed)
            return failed, []
        await make_room(connection, transfer.target_id, len(moving))
        every = [file for asset in moving for file in asset.files]
        unfinished = [file for file in every if file.state != "CREATED"]
        size = sum(file.size for file in every if file.state == "CREATED")
        gone = asset_files.c.id.in_([file.id for file in unfinished])
        await connection.execute(delete(asset_files).where(gone))
        await files.check_space(connection, transfer.target_id, size, most)
        for asset in moving:
            settings = {
                name: value for name, value in asset.settings.items() if name not in ("shared", "shared_config")
            }
            await put(
                connection,
                replace(
                    asset,
                    project_id=transfer.target_id,
                    app_user_id="",
                    settings=settings,
                    state="ACTIVED" if transfer.activates else "UNACTIVED",
                    version=asset.version + 1,
                    updated_at=now,
                ),
            )
            mine = asset_files.c.asset_id == asset.id
            await connection.execute(update(asset_files).where(mine).values(project_id=transfer.target_id))
        done = replace(transfer, state="ACCEPT", accepted=True, finished_at=now)
        await _put(connection, done)
        return done, unfinished


async def _put(connection: AsyncConnection, transfer: Transfer) -> None:
    where = asset_transfers.c.id == transfer.id
    await connection.execute(update(asset_transfers).where(where).values(**_values(transfer)))


async def expire(database: Database, now: float, error_code: str, error_msg: str) -> None:
    """End all transfers that nobody answered in time."""
    late = asset_transfers.c.state == PROCESSING, asset_transfers.c.expires_at <= now
    async with database.write() as connection:
        values = {"error_code": error_code, "error_msg": error_msg, "finished_at": asset_transfers.c.expires_at}
        await connection.execute(update(asset_transfers).where(*late).values(state="FAIL", **values))


async def replicate(
    database: Database, copy: UploadedAsset, used: str, expires_at: float, most: int, now: float
) -> None:
    """Store a copy made from a replication information (``used``: its digest), which is spent by that.

    Raises:
        UsedBeforeError: it was.
        NoSpaceError, TooManyAssetsError: the project has no room for the copy.
    """
    async with database.write() as connection:
        await connection.execute(delete(asset_replications).where(asset_replications.c.expires_at <= now))
        spent = select(asset_replications.c.hash).where(asset_replications.c.hash == used)
        if (await connection.execute(spent)).first() is not None:
            raise UsedBeforeError(used)
        await files.check_space(connection, copy.project_id, sum(file.size for file in copy.files), most)
        await add(connection, copy)
        await connection.execute(insert(asset_replications).values(hash=used, expires_at=expires_at))
