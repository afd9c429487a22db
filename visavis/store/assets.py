"""Assets that projects made. The content of their files lies in the data folder, named by the file's id."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Text, cast, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.tables import asset_files, asset_shares, assets, rooms

MAX_ASSETS: Final = 1000
"""Of a project."""
MAIN: Final = "MAIN"
_BATCH: Final = 100


class TooManyAssetsError(VisavisError):
    """The project has as many assets as it may."""


class AssetVersionError(VisavisError):
    """The asset is of another version than was expected."""


class AssetInUseError(VisavisError):
    """Rooms show the asset; the message is the name of one."""


@dataclass(frozen=True, slots=True)
class AssetFile:
    """A file of an asset.

    ``size`` in bytes; ``extension`` is empty until the content is known; ``parts`` 0: it comes in one piece. ``meta``: what the
    content was found to be.
    """

    id: str
    project_id: str
    asset_id: str
    name: str
    size: int
    md5: str
    extension: str
    state: str
    meta: dict[str, Any]
    expires_at: float = 0.0
    created_at: float = 0.0
    category: str = MAIN
    parts: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UploadedAsset:
    """An asset. ``settings`` holds the accepted fields that are not named here.

    ``settings["shared"]`` is ``{"projects": [...], "until": epoch seconds}``: who else may use it. ``bin_until``: when it leaves the
    recycle bin for good; ``due_at``: when something next happens to it by itself.
    """

    id: str
    project_id: str
    name: str
    kind: str
    state: str
    settings: dict[str, Any]
    created_at: float
    updated_at: float
    app_user_id: str = ""
    reason: str = ""
    version: int = 1
    state_before: str = ""
    bin_until: float | None = None
    due_at: float | None = None
    files: tuple[AssetFile, ...] = field(default=())

    @property
    def main(self) -> AssetFile | None:
        """The file that is ready for use."""
        return next((file for file in self.files if file.category == MAIN and file.state == "CREATED"), None)


def new_id() -> str:
    """A new id of an asset, a file or a transfer."""
    return uuid.uuid4().hex


def file_of(row: Row[Any]) -> AssetFile:
    """A row of the table of files."""
    return AssetFile(**{name: getattr(row, name) for name in AssetFile.__dataclass_fields__})


def _asset(row: Row[Any], files: Sequence[AssetFile]) -> UploadedAsset:
    names = [name for name in UploadedAsset.__dataclass_fields__ if name != "files"]
    return UploadedAsset(**{name: getattr(row, name) for name in names}, files=tuple(files))


def _values(asset: UploadedAsset) -> dict[str, Any]:
    return {name: getattr(asset, name) for name in UploadedAsset.__dataclass_fields__ if name != "files"}


# --- within a transaction -------------------------------------------------------------------------------------------


async def load(connection: AsyncConnection, *where: ColumnElement[bool], locked: bool = False) -> list[UploadedAsset]:
    """The assets for which all of ``where`` holds, newest first, with their files."""
    query = select(assets).where(*where).order_by(assets.c.created_at.desc(), assets.c.id)
    rows = (await connection.execute(query.with_for_update() if locked else query)).all()
    files: dict[str, list[AssetFile]] = {row.id: [] for row in rows}
    ids = list(files)
    for start in range(0, len(ids), _BATCH):
        some = asset_files.c.asset_id.in_(ids[start : start + _BATCH])
        for row in await connection.execute(
            select(asset_files).where(some).order_by(asset_files.c.created_at, asset_files.c.id)
        ):
            files[row.asset_id].append(file_of(row))
    return [_asset(row, files[row.id]) for row in rows]


async def one(connection: AsyncConnection, project_id: str, asset_id: str) -> UploadedAsset | None:
    """The project's asset of that id, locked."""
    found = await load(connection, assets.c.project_id == project_id, assets.c.id == asset_id, locked=True)
    return found[0] if found else None


async def put(connection: AsyncConnection, asset: UploadedAsset) -> None:
    """Write an asset that exists, whole but for its files, and whom it is shared with."""
    await connection.execute(update(assets).where(assets.c.id == asset.id).values(**_values(asset)))
    await _put_shares(connection, asset)


async def _put_shares(connection: AsyncConnection, asset: UploadedAsset) -> None:
    await connection.execute(delete(asset_shares).where(asset_shares.c.asset_id == asset.id))
    shared = asset.settings.get("shared") or {}
    rows = [
        {"asset_id": asset.id, "project_id": project_id, "expires_at": shared["until"]}
        for project_id in dict.fromkeys(shared.get("projects", ()))
    ]
    if rows:
        await connection.execute(insert(asset_shares), rows)


async def make_room(connection: AsyncConnection, project_id: str, more: int = 1) -> None:
    """Check that the project may have so many more.

    Raises:
        TooManyAssetsError: it may not.
    """
    count = select(func.count()).select_from(assets).where(assets.c.project_id == project_id)
    if (await connection.execute(count)).scalar_one() + more > MAX_ASSETS:
        raise TooManyAssetsError(f"a project may have {MAX_ASSETS} assets")


async def add(connection: AsyncConnection, asset: UploadedAsset) -> None:
    """Store a new asset with the files that it has already.

    Raises:
        TooManyAssetsError: the project has MAX_ASSETS.
    """
    await make_room(connection, asset.project_id)
    await connection.execute(insert(assets).values(**_values(asset)))
    await _put_shares(connection, asset)
    for file in asset.files:
        values = {name: getattr(file, name) for name in AssetFile.__dataclass_fields__}
        await connection.execute(insert(asset_files).values(**values, upload_hash=""))


async def room_that_shows(connection: AsyncConnection, project_id: str, asset_id: str) -> str:
    """The name of a room of the project that names the asset; empty: there is none."""
    # The text is a first sieve only: a description may hold the id, too.
    text = cast(rooms.c.settings, Text)
    query = select(rooms.c.name, rooms.c.settings).where(
        rooms.c.project_id == project_id, text.contains(asset_id, autoescape=True)
    )
    for row in await connection.execute(query):
        if asset_id in _asset_ids(row.settings):
            return str(row.name)
    return ""


def _asset_ids(value: Any) -> Iterator[str]:
    """What a room's settings name as an asset, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and key.endswith("asset_id"):
                yield inner
            else:
                yield from _asset_ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _asset_ids(inner)


# --- single steps ---------------------------------------------------------------------------------------------------


async def create(database: Database, asset: UploadedAsset) -> None:
    """Store a new asset.

    Raises:
        TooManyAssetsError: the project has MAX_ASSETS.
    """
    async with database.write() as connection:
        await add(connection, asset)


async def listing(database: Database, project_id: str) -> list[UploadedAsset]:
    """The project's own assets, newest first."""
    async with database.read() as connection:
        return await load(connection, assets.c.project_id == project_id)


async def shared_with(database: Database, project_id: str, now: float) -> list[UploadedAsset]:
    """Other projects' assets that this one may use, newest first."""
    async with database.read() as connection:
        return await load(connection, _shared(project_id, now))


def _shared(project_id: str, now: float) -> ColumnElement[bool]:
    shares = select(asset_shares.c.asset_id).where(
        asset_shares.c.project_id == project_id, asset_shares.c.expires_at > now
    )
    return assets.c.id.in_(shares)


async def get(database: Database, project_id: str, asset_id: str) -> UploadedAsset | None:
    """The project's own asset of that id."""
    async with database.read() as connection:
        found = await load(connection, assets.c.project_id == project_id, assets.c.id == asset_id)
    return found[0] if found else None


async def usable(database: Database, project_id: str, ids: Sequence[str], now: float) -> list[UploadedAsset]:
    """Those of ``ids`` that are the project's own or shared with it, newest first."""
    async with database.read() as connection:
        mine = or_(assets.c.project_id == project_id, _shared(project_id, now))
        return await load(connection, assets.c.id.in_(ids), mine)


async def change(
    database: Database,
    project_id: str,
    asset_id: str,
    alter: Callable[[UploadedAsset], UploadedAsset],
    now: float,
    expected: int | None = None,
) -> UploadedAsset | None:
    """Change the project's asset; ``alter`` may raise, then nothing changes. None: no such asset.

    Raises:
        AssetVersionError: it is not of the version ``expected``.
    """
    async with database.write() as connection:
        asset = await one(connection, project_id, asset_id)
        if asset is None:
            return None
        if expected is not None and asset.version != expected:
            raise AssetVersionError(asset_id)
        changed = replace(alter(asset), version=asset.version + 1, updated_at=now)
        await put(connection, changed)
        return changed


async def leave(
    database: Database,
    project_id: str,
    asset_id: str,
    binned: Callable[[UploadedAsset], UploadedAsset] | None,
    now: float,
    expected: int | None = None,
) -> UploadedAsset | None:
    """Put the project's asset into the recycle bin as ``binned`` says; None: delete it with what is known of its files.

    The asset as it was, so that its files can be removed; None: no such asset.

    Raises:
        AssetInUseError: a room of the project shows it.
        AssetVersionError: it is not of the version ``expected``.
    """
    async with database.write() as connection:
        asset = await one(connection, project_id, asset_id)
        if asset is None:
            return None
        if expected is not None and asset.version != expected:
            raise AssetVersionError(asset_id)
        if room := await room_that_shows(connection, project_id, asset_id):
            raise AssetInUseError(room)
        if binned is None:
            await connection.execute(delete(assets).where(assets.c.id == asset_id))
        else:
            await put(connection, replace(binned(asset), version=asset.version + 1, updated_at=now))
        return asset


async def due(database: Database, now: float) -> list[str]:
    """Ids of the assets, of all projects, to which something is to happen by itself; at most a hundred."""
    query = select(assets.c.id).where(assets.c.due_at <= now).order_by(assets.c.due_at).limit(_BATCH)
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def happen(
    database: Database, asset_id: str, now: float, step: Callable[[UploadedAsset], UploadedAsset | None]
) -> UploadedAsset | None:
    """Let it happen: ``step`` answers the asset as it then is, None: it is gone. Answers one that went, as it was."""
    async with database.write() as connection:
        found = await load(connection, assets.c.id == asset_id, assets.c.due_at <= now, locked=True)
        if not found:
            return None  # another process was first
        (asset,) = found
        after = step(asset)
        if after is None:
            await connection.execute(delete(assets).where(assets.c.id == asset_id))
            return asset
        await put(connection, replace(after, version=asset.version + 1, updated_at=now))
        return None
