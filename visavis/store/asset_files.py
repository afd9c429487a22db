"""Files of assets: announced, sent in one piece or in parts, and settled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.errors import VisavisError
from visavis.store.assets import MAIN, AssetFile, AssetInUseError, file_of, load, put, room_that_shows
from visavis.store.database import Database
from visavis.store.tables import asset_files, asset_parts, asset_transfers, assets
from visavis.store.vault import digest

MAX_FILES: Final = 100
"""Of an asset."""
CONFIRM_S: Final = 86400.0
"""How long after its URL's end an upload waits to be confirmed."""
_OPEN: Final = ("CREATING", "UPLOADED")
_KEPT: Final = (*_OPEN, "CREATED")


class MainFileExistsError(VisavisError):
    """The asset has its file already."""


class TooManyFilesError(VisavisError):
    """The asset has as many files as it may."""


class NoSpaceError(VisavisError):
    """The project's files would take more than they may; the message says how much is left."""


async def taken(connection: AsyncConnection, project_id: str) -> int:
    """Bytes of the project's files, those included that were announced and can still come."""
    size = func.coalesce(func.sum(asset_files.c.size), 0)
    query = select(size).where(asset_files.c.project_id == project_id, asset_files.c.state.in_(_KEPT))
    return int((await connection.execute(query)).scalar_one())


async def check_space(connection: AsyncConnection, project_id: str, size: int, most: int) -> None:
    """Whether ``size`` bytes more are within the ``most`` that a project's files may take; 0: any number.

    Raises:
        NoSpaceError: they are not.
    """
    if most and (used := await taken(connection, project_id)) + size > most:
        raise NoSpaceError(f"the project's files may take {most} bytes, {max(0, most - used)} are left")


async def announce(database: Database, file: AssetFile, tokens: list[str], most: int, now: float) -> list[AssetFile]:
    """Store a file to come; whoever shows a token may send it (a part of it) until ``file.expires_at``.

    Earlier uploads of the same category's only file that were not finished are void; they are answered.

    Raises:
        MainFileExistsError: the asset has its MAIN file.
        TooManyFilesError: it has MAX_FILES.
        NoSpaceError: the project has no room for it.
    """
    async with database.write() as connection:
        (asset,) = await load(connection, assets.c.id == file.asset_id, locked=True)
        void: list[AssetFile] = []
        if file.category == MAIN:
            if asset.main is not None:
                raise MainFileExistsError(asset.id)
            void = [one for one in asset.files if one.category == MAIN and one.state in _OPEN]
            ids = [one.id for one in void]
            await connection.execute(delete(asset_files).where(asset_files.c.id.in_(ids)))
        if len(asset.files) - len(void) >= MAX_FILES:
            raise TooManyFilesError(asset.id)
        await check_space(connection, file.project_id, file.size, most)
        values = {name: getattr(file, name) for name in AssetFile.__dataclass_fields__}
        whole = "" if file.parts else digest(tokens[0])
        await connection.execute(insert(asset_files).values(**values, upload_hash=whole))
        if file.parts:
            rows = [
                {"file_id": file.id, "number": number, "upload_hash": digest(token), "size": None}
                for number, token in enumerate(tokens, 1)
            ]
            await connection.execute(insert(asset_parts), rows)
        if file.category == MAIN and asset.state == "FAILED":
            await put(
                connection, replace(asset, state="CREATING", reason="", version=asset.version + 1, updated_at=now)
            )
        return void


async def get(database: Database, project_id: str, file_id: str) -> AssetFile | None:
    """The project's file of that id."""
    return await _first(database, asset_files.c.project_id == project_id, asset_files.c.id == file_id)


async def _first(database: Database, *where: ColumnElement[bool]) -> AssetFile | None:
    async with database.read() as connection:
        row = (await connection.execute(select(asset_files).where(*where))).first()
    return None if row is None else file_of(row)


def _admits(file_id: str, now: float) -> tuple[ColumnElement[bool], ...]:
    return asset_files.c.id == file_id, asset_files.c.state == "CREATING", asset_files.c.expires_at > now


async def admit(database: Database, file_id: str, token: str, now: float) -> AssetFile | None:
    """The file that ``token`` may upload now. None: unknown, expired, or uploaded already."""
    return await _first(database, *_admits(file_id, now), asset_files.c.upload_hash == digest(token))


async def admit_part(database: Database, file_id: str, number: int, token: str, now: float) -> AssetFile | None:
    """The file of whose parts ``token`` may upload this one now. None: unknown, expired, or uploaded already."""
    part = select(asset_parts.c.number).where(
        asset_parts.c.file_id == file_id, asset_parts.c.number == number, asset_parts.c.upload_hash == digest(token)
    )
    return await _first(database, *_admits(file_id, now), part.exists())


async def uploaded(database: Database, file_id: str) -> bool:
    """Its content has come, and no other may. False: it had come before."""
    statement = (
        update(asset_files)
        .where(asset_files.c.id == file_id, asset_files.c.state == "CREATING")
        .values(state="UPLOADED", upload_hash="")
    )
    async with database.write() as connection:
        return (await connection.execute(statement)).rowcount == 1


async def uploaded_part(database: Database, file: AssetFile, number: int, size: int, limit: int, most: int) -> bool:
    """A part of ``size`` bytes has come. False: it had come before, or the file is not wanted any more.

    Args:
        limit: bytes of all parts together, by the file's type or as announced.

    Raises:
        NoSpaceError: the parts are more than that, or than the project has room for.
    """
    async with database.write() as connection:
        query = select(asset_files).where(asset_files.c.id == file.id, asset_files.c.state == "CREATING")
        row = (await connection.execute(query.with_for_update())).first()
        if row is None:
            return False
        mine = asset_parts.c.file_id == file.id
        before = int(
            (await connection.execute(select(func.coalesce(func.sum(asset_parts.c.size), 0)).where(mine))).scalar_one()
        )
        if before + size > limit:
            raise NoSpaceError(f"its parts are more than {limit} bytes")
        if not row.meta.get("announced"):
            await check_space(connection, file.project_id, size, most)
            await connection.execute(update(asset_files).where(asset_files.c.id == file.id).values(size=before + size))
        came = await connection.execute(
            update(asset_parts)
            .where(mine, asset_parts.c.number == number, asset_parts.c.size.is_(None))
            .values(size=size, upload_hash="")
        )
        return came.rowcount == 1


async def parts(database: Database, file_id: str) -> dict[int, int | None]:
    """The parts of a file: number -> bytes, None: it has not come."""
    query = select(asset_parts).where(asset_parts.c.file_id == file_id).order_by(asset_parts.c.number)
    async with database.read() as connection:
        return {row.number: row.size for row in await connection.execute(query)}


async def settle(
    database: Database, file: AssetFile, asset_state: str | None, now: float, *, reason: str = "", instead: bool = False
) -> list[AssetFile]:
    """Write how an upload ended (``file`` as it is from now on), and what its asset is then; None: what it was.

    Args:
        instead: the file takes the place of the asset's MAIN file.

    Returns:
        Files that are not needed any more.
    """
    async with database.write() as connection:
        gone: list[AssetFile] = []
        if instead:
            replaced = and_(
                asset_files.c.asset_id == file.asset_id, asset_files.c.category == MAIN, asset_files.c.id != file.id
            )
            gone = [file_of(row) for row in await connection.execute(select(asset_files).where(replaced))]
            await connection.execute(delete(asset_files).where(replaced))
        values: dict[str, Any] = {name: getattr(file, name) for name in AssetFile.__dataclass_fields__}
        await connection.execute(
            update(asset_files).where(asset_files.c.id == file.id).values(**values, upload_hash="")
        )
        await connection.execute(delete(asset_parts).where(asset_parts.c.file_id == file.id))
        await _touch(connection, file.asset_id, asset_state, reason, now)
        return gone


async def _touch(connection: AsyncConnection, asset_id: str, state: str | None, reason: str, now: float) -> None:
    found = await load(connection, assets.c.id == asset_id, locked=True)
    if not found:
        return
    (asset,) = found
    changed = replace(asset, version=asset.version + 1, updated_at=now)
    # Only a file's coming and going moves between these; what lies in the bin, or is frozen, stays so.
    if state is not None and asset.state not in ("DELETING", "BLOCK"):
        changed = replace(changed, state=state, reason=reason)
    elif state is not None and asset.state == "DELETING":
        changed = replace(changed, state_before=state, reason=reason)
    await put(connection, changed)


async def add_ready(database: Database, file: AssetFile) -> bool:
    """Store a file that the server itself made of an asset's content. False: the asset is gone."""
    values = {name: getattr(file, name) for name in AssetFile.__dataclass_fields__}
    async with database.write() as connection:
        if not await load(connection, assets.c.id == file.asset_id, assets.c.project_id == file.project_id):
            return False
        await connection.execute(insert(asset_files).values(**values, upload_hash=""))
        return True


async def left(database: Database, project_id: str, most: int) -> int:
    """Bytes that the project's files may still take of ``most``."""
    async with database.read() as connection:
        return max(0, most - await taken(connection, project_id))


async def remove(database: Database, project_id: str, file_id: str, now: float) -> AssetFile | None:
    """Forget a file; without its MAIN file an asset waits for another one. None: no such file.

    Raises:
        AssetInUseError: it is the MAIN file of an asset that a room shows.
    """
    async with database.write() as connection:
        where = asset_files.c.project_id == project_id, asset_files.c.id == file_id
        row = (await connection.execute(select(asset_files).where(*where))).first()
        if row is None:
            return None
        ready = row.category == MAIN and row.state == "CREATED"
        if ready and (room := await room_that_shows(connection, project_id, row.asset_id)):
            raise AssetInUseError(room)
        await connection.execute(delete(asset_files).where(*where))
        await _touch(connection, row.asset_id, "CREATING" if row.category == MAIN else None, "", now)
        return file_of(row)


def _late(now: float) -> ColumnElement[bool]:
    return or_(
        and_(asset_files.c.state == "CREATING", asset_files.c.expires_at <= now),
        and_(asset_files.c.state == "UPLOADED", asset_files.c.expires_at <= now - CONFIRM_S),
    )


async def anything_due(database: Database, now: float) -> bool:
    """Whether anything is to happen by itself: to an asset, an upload or a transfer, of any project. One look for all."""
    waiting = asset_transfers.c.state == "PROCESSING", asset_transfers.c.expires_at <= now
    query = select(
        or_(
            select(assets.c.id).where(assets.c.due_at <= now).exists(),
            select(asset_files.c.id).where(_late(now)).exists(),
            select(asset_transfers.c.id).where(*waiting).exists(),
        )
    )
    async with database.read() as connection:
        return bool((await connection.execute(query)).scalar_one())


async def overdue(database: Database, now: float) -> list[AssetFile]:
    """Uploads, of all projects, that nobody finished in time; at most a hundred."""
    async with database.read() as connection:
        query = select(asset_files).where(_late(now)).limit(100)
        return [file_of(row) for row in await connection.execute(query)]


async def known(database: Database) -> set[str]:
    """Ids of all files whose content may lie in the folder."""
    query = select(asset_files.c.id).where(asset_files.c.state.in_(_KEPT))
    async with database.read() as connection:
        return set((await connection.execute(query)).scalars())
