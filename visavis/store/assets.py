"""Uploaded assets and their files. The files' content lies in the data folder, named by the file's id."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.tables import asset_files, assets
from visavis.store.vault import digest

MAX_ASSETS = 1000
"""Of a project."""


class TooManyAssetsError(VisavisError):
    """The project has as many assets as it may."""


class MainFileExistsError(VisavisError):
    """The asset has its file already."""


@dataclass(frozen=True, slots=True)
class AssetFile:
    """A file of an asset; ``extension`` is empty until the content is known."""

    id: str
    project_id: str
    asset_id: str
    name: str
    size: int
    md5: str
    extension: str
    state: str
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UploadedAsset:
    """An asset. ``settings`` holds the accepted fields that are not named here."""

    id: str
    project_id: str
    name: str
    kind: str
    state: str
    settings: dict[str, Any]
    created_at: float
    updated_at: float
    files: tuple[AssetFile, ...] = field(default=())

    @property
    def main(self) -> AssetFile | None:
        """The file that is ready for use."""
        return next((file for file in self.files if file.state == "CREATED"), None)


def _file(row: Row[Any]) -> AssetFile:
    return AssetFile(
        row.id, row.project_id, row.asset_id, row.name, row.size, row.md5, row.extension, row.state, row.meta
    )


def _asset(row: Row[Any], files: tuple[AssetFile, ...]) -> UploadedAsset:
    return UploadedAsset(
        row.id, row.project_id, row.name, row.kind, row.state, row.settings, row.created_at, row.updated_at, files
    )


async def create(
    database: Database, project_id: str, name: str, kind: str, settings: dict[str, Any], now: float
) -> UploadedAsset:
    """Store a new asset without a file.

    Raises:
        TooManyAssetsError: the project has MAX_ASSETS.
    """
    asset = UploadedAsset(uuid.uuid4().hex, project_id, name, kind, "CREATING", settings, now, now)
    async with database.write() as connection:
        count = select(func.count()).select_from(assets).where(assets.c.project_id == project_id)
        if (await connection.execute(count)).scalar_one() >= MAX_ASSETS:
            raise TooManyAssetsError(f"a project may have {MAX_ASSETS} assets")
        await connection.execute(
            insert(assets).values(
                id=asset.id,
                project_id=project_id,
                name=name,
                kind=kind,
                state=asset.state,
                settings=settings,
                created_at=now,
                updated_at=now,
            )
        )
    return asset


async def listing(database: Database, project_id: str) -> list[UploadedAsset]:
    """The project's assets, newest first."""
    async with database.read() as connection:
        files: dict[str, list[AssetFile]] = {}
        query = select(asset_files).where(asset_files.c.project_id == project_id).order_by(asset_files.c.created_at)
        for row in await connection.execute(query):
            files.setdefault(row.asset_id, []).append(_file(row))
        order = assets.c.created_at.desc(), assets.c.id
        rows = await connection.execute(select(assets).where(assets.c.project_id == project_id).order_by(*order))
        return [_asset(row, tuple(files.get(row.id, ()))) for row in rows]


async def get(database: Database, project_id: str, asset_id: str) -> UploadedAsset | None:
    """The project's asset of that id."""
    async with database.read() as connection:
        where = assets.c.project_id == project_id, assets.c.id == asset_id
        row = (await connection.execute(select(assets).where(*where))).first()
        if row is None:
            return None
        found = await connection.execute(
            select(asset_files).where(asset_files.c.asset_id == asset_id).order_by(asset_files.c.created_at)
        )
        return _asset(row, tuple(_file(each) for each in found))


async def change(
    database: Database, project_id: str, asset_id: str, changes: dict[str, Any], settings: dict[str, Any], now: float
) -> bool:
    """Change columns (``name``, ``state``) and merge ``settings``. False: no such asset."""
    where = assets.c.project_id == project_id, assets.c.id == asset_id
    async with database.write() as connection:
        row = (await connection.execute(select(assets).where(*where).with_for_update())).first()
        if row is None:
            return False
        merged = {**row.settings, **settings}
        await connection.execute(update(assets).where(*where).values(**changes, settings=merged, updated_at=now))
        return True


async def remove(database: Database, project_id: str, asset_id: str) -> bool:
    """Delete the asset and what is known of its files. False: no such asset."""
    async with database.write() as connection:
        where = assets.c.project_id == project_id, assets.c.id == asset_id
        return (await connection.execute(delete(assets).where(*where))).rowcount == 1


async def add_file(
    database: Database, asset: UploadedAsset, name: str, size: int, md5: str, token: str, now: float, expires_at: float
) -> AssetFile:
    """A file to be uploaded by whoever shows ``token`` until ``expires_at``. Earlier uploads that were not finished are void.

    Raises:
        MainFileExistsError: the asset has its file.
    """
    file = AssetFile(uuid.uuid4().hex, asset.project_id, asset.id, name, size, md5, "", "CREATING", {})
    async with database.write() as connection:
        mine = asset_files.c.asset_id == asset.id
        finished = select(asset_files.c.id).where(mine, asset_files.c.state == "CREATED")
        if (await connection.execute(finished)).first() is not None:
            raise MainFileExistsError(asset.id)
        await connection.execute(
            insert(asset_files).values(
                id=file.id,
                project_id=file.project_id,
                asset_id=file.asset_id,
                name=name,
                size=size,
                md5=md5,
                extension="",
                state=file.state,
                meta={},
                upload_hash=digest(token),
                expires_at=expires_at,
                created_at=now,
            )
        )
    return file


async def get_file(database: Database, project_id: str, file_id: str) -> AssetFile | None:
    """The project's file of that id."""
    async with database.read() as connection:
        where = asset_files.c.project_id == project_id, asset_files.c.id == file_id
        row = (await connection.execute(select(asset_files).where(*where))).first()
    return None if row is None else _file(row)


async def admit_upload(database: Database, file_id: str, token: str, now: float) -> AssetFile | None:
    """The file that ``token`` may upload now. None: unknown, expired, or uploaded already."""
    async with database.read() as connection:
        row = (
            await connection.execute(
                select(asset_files).where(
                    asset_files.c.id == file_id,
                    asset_files.c.upload_hash == digest(token),
                    asset_files.c.state == "CREATING",
                    asset_files.c.expires_at > now,
                )
            )
        ).first()
    return None if row is None else _file(row)


async def uploaded(database: Database, file_id: str) -> bool:
    """Its content has come, and no other may. False: it had come before."""
    statement = (
        update(asset_files)
        .where(asset_files.c.id == file_id, asset_files.c.state == "CREATING")
        .values(state="UPLOADED", upload_hash="")
    )
    async with database.write() as connection:
        return (await connection.execute(statement)).rowcount == 1


async def finish(
    database: Database, file: AssetFile, state: str, extension: str, meta: dict[str, Any], now: float
) -> None:
    """Settle a file as CREATED (its asset is ACTIVED), FAILED or CANCELLED (its asset FAILED)."""
    async with database.write() as connection:
        await connection.execute(
            update(asset_files)
            .where(asset_files.c.id == file.id)
            .values(state=state, extension=extension, meta=meta, upload_hash="")
        )
        await connection.execute(
            update(assets)
            .where(assets.c.id == file.asset_id)
            .values(state="ACTIVED" if state == "CREATED" else "FAILED", updated_at=now)
        )


async def remove_file(database: Database, project_id: str, file_id: str, now: float) -> AssetFile | None:
    """Forget a file; its asset waits for another one. None: no such file."""
    async with database.write() as connection:
        where = asset_files.c.project_id == project_id, asset_files.c.id == file_id
        row = (await connection.execute(select(asset_files).where(*where))).first()
        if row is None:
            return None
        await connection.execute(delete(asset_files).where(*where))
        await connection.execute(
            update(assets).where(assets.c.id == row.asset_id).values(state="CREATING", updated_at=now)
        )
        return _file(row)
