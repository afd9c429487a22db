"""The asset library: what a project may use, where its files lie, and what happens to assets by themselves."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from visavis import log
from visavis.api.catalogue import AvatarEntry, Catalogue, Extended, has_avatar, resolution_of
from visavis.avatar.background import shipped
from visavis.contract.assets import BIN, FROZEN, UPLOAD_PREFIX, USABLE
from visavis.contract.base import from_rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.settings import Settings
from visavis.store import asset_files, asset_transfers
from visavis.store import assets as store
from visavis.store.assets import AssetFile, UploadedAsset
from visavis.store.database import Database

__all__ = ["BACKGROUND", "UPLOAD_PREFIX", "Assets", "backgrounds", "binned", "catalogue_of", "require", "scheduled"]

BACKGROUND: Final = "background-"
"""A built-in background is an asset of this and its name."""
AVATAR: Final = "HUMAN_MODEL_2D"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_STRAY_S: Final = 86400.0
"""A file that belongs to nothing is removed when it is so old: a younger one may be on its way."""

_log = log.get(__name__)


def backgrounds() -> dict[str, Path]:
    """The built-in backgrounds: asset id -> file."""
    return {BACKGROUND + name: path for name, path in shipped().items()}


async def _usable(
    database: Database, project_id: str, asset_id: str, kind: str, field: str, now: float
) -> UploadedAsset:
    found = await store.usable(database, project_id, [asset_id], now)
    if not found or found[0].kind != kind:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{field}: no asset {asset_id!r} of type {kind} here")
    (asset,) = found
    if asset.state not in USABLE:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{field}: the asset {asset_id!r} is {asset.state}, not ACTIVED")
    return asset


async def require(
    database: Database, project_id: str, asset_id: str, kind: str, field: str, now: float | None = None
) -> None:
    """ApiError unless the project can use ``asset_id`` as ``kind`` (IMAGE or VIDEO); ``field`` names it."""
    if kind == "IMAGE" and asset_id in backgrounds():
        return
    await _usable(database, project_id, asset_id, kind, field, time.time() if now is None else now)


async def catalogue_of(
    database: Database, catalogue: Catalogue, project_id: str, avatar_ids: Iterable[str], now: float | None = None
) -> Catalogue:
    """``catalogue`` with those of ``avatar_ids`` that are uploaded packs which the project may use now."""
    wanted = sorted({one for one in avatar_ids if not has_avatar(catalogue, one)})
    if not wanted:
        return catalogue
    found = await store.usable(database, project_id, wanted, time.time() if now is None else now)
    entries = [_entry(asset) for asset in found if asset.kind == AVATAR and asset.state in USABLE and asset.main]
    return Extended(catalogue, entries)


def _entry(asset: UploadedAsset) -> AvatarEntry:
    meta = asset.main.meta if asset.main else {}
    sex = next((tag.lower() for tag in asset.settings.get("tags", ()) if tag in ("MALE", "FEMALE")), "")
    return AvatarEntry(
        asset.id, asset.name, str(meta.get("licence", "")), sex, resolution_of(int(meta.get("height", 0)))
    )


# --- what happens by itself -----------------------------------------------------------------------------------------


def _times(settings: dict[str, Any]) -> list[tuple[float, str]]:
    """What is to be done to an asset by itself, the earliest first: (epoch seconds, BLOCK or DELETE)."""
    plans = settings.get("auto_operation_config") or ()
    return sorted((from_rfc3339(one["operation_time"]), one["operation"]) for one in plans if not one.get("done"))


def scheduled(asset: UploadedAsset) -> UploadedAsset:
    """The asset, with the time at which something next happens to it."""
    if asset.bin_until is not None:
        return replace(asset, due_at=asset.bin_until)
    times = _times(asset.settings)
    return replace(asset, due_at=times[0][0] if times else None)


def binned(asset: UploadedAsset, now: float, keep_s: float) -> UploadedAsset:
    """The asset as it lies in the recycle bin."""
    before = asset.state_before if asset.state == BIN else asset.state
    return scheduled(replace(asset, state=BIN, state_before=before, bin_until=now + keep_s))


class Assets:
    """Rows in the database, files in the data folder: ``<file id>``, and ``<file id>.<number>`` for parts on their way."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], float]) -> None:
        self.folder = settings.data / "assets"
        self.quota = settings.asset_bytes
        self.bin_s = settings.asset_bin_days * 86400.0
        self.database = database
        self.clock = clock
        self.receiving: set[tuple[str, int]] = set()
        # Bytes on their way, by project, of parts whose file was announced without a size.
        self.arriving: dict[str, int] = {}
        # Looking into a file takes a processor for a while, and much memory.
        self.looking = asyncio.Semaphore(2)

    # --- files ----------------------------------------------------------------------------------------

    def place(self, file_id: str) -> Path:
        """Where a file lies; ``file_id`` comes from the database, never from a request."""
        return self.folder / file_id

    def place_of_part(self, file_id: str, number: int) -> Path:
        """Where a part of a large file lies until all have come."""
        return self.folder / f"{file_id}.{number}"

    async def forget(self, *files: AssetFile) -> None:
        """Remove what lies in the folder of these files."""
        await asyncio.to_thread(self._forget, files)

    def _forget(self, files: Iterable[AssetFile]) -> None:
        for file in files:
            self.place(file.id).unlink(missing_ok=True)
            for number in range(1, file.parts + 1):
                self.place_of_part(file.id, number).unlink(missing_ok=True)

    async def sweep(self) -> None:
        """Remove what belongs to nothing: left by a server that was killed in the middle of something."""
        await self.settle()
        known = await asset_files.known(self.database)
        removed = await asyncio.to_thread(self._sweep, known)
        if removed:
            _log.info("stray_asset_files_removed", count=removed)

    def _sweep(self, known: set[str]) -> int:
        removed = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name.partition(".")[0] not in known and path.stat().st_mtime < time.time() - _STRAY_S:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    # --- what happens by itself -----------------------------------------------------------------------

    async def settle(self) -> None:
        """Do what is due, in all projects: end uploads and transfers that nobody finished, follow timetables, empty the bin."""
        now = self.clock()
        if not await asset_files.anything_due(self.database, now):
            return
        for asset_id in await store.due(self.database, now):
            if gone := await store.happen(self.database, asset_id, now, lambda asset: self._happen(asset, now)):
                await self.forget(*gone.files)
        for file in await asset_files.overdue(self.database, now):
            state = "FAILED" if file.category == store.MAIN else None
            reason = "the file was not uploaded in time"
            ended = replace(file, state="CANCELLED", reason=reason)
            await asset_files.settle(self.database, ended, state, now, reason=reason)
            await self.forget(file)
        late = ErrorCode.NOT_NOW
        await asset_transfers.expire(self.database, now, late.code, "nobody accepted it in time")

    def _happen(self, asset: UploadedAsset, now: float) -> UploadedAsset | None:
        if asset.bin_until is not None:
            return None if asset.bin_until <= now else asset
        for at, operation in _times(asset.settings):
            if at <= now:
                asset = replace(asset, settings=_done(asset.settings, at, operation))
                if operation == "DELETE":
                    return binned(asset, at, self.bin_s)
                asset = replace(asset, state=FROZEN, reason="frozen by its auto_operation_config")
        return scheduled(asset)

    # --- use ------------------------------------------------------------------------------------------

    async def get(self, project_id: str, asset_id: str, app_user: str = "") -> UploadedAsset:
        """The project's own asset. ApiError: there is none (of that third-party user's)."""
        await self.settle()
        asset = await store.get(self.database, project_id, asset_id)
        if asset is None or (app_user and asset.app_user_id != app_user):
            raise ApiError(ErrorCode.ASSET_NOT_FOUND)
        return asset

    async def path(self, project_id: str, asset_id: str, kind: str, field: str) -> Path:
        """The file that a worker can read. ApiError: see :func:`require`."""
        if kind == "IMAGE" and (built_in := backgrounds().get(asset_id)):
            return built_in
        await self.settle()
        asset = await _usable(self.database, project_id, asset_id, kind, field, self.clock())
        if asset.main is None:
            raise ApiError(ErrorCode.ASSET_NOT_FOUND)
        return self.place(asset.main.id).resolve()

    async def pack(self, project_id: str, avatar_id: str) -> Path | None:
        """The uploaded pack of that id. None: it is not one. ApiError: the project cannot use it now."""
        if not _ID.fullmatch(avatar_id):
            return None  # packs of the installation are not looked up for every job
        await self.settle()
        found = await store.usable(self.database, project_id, [avatar_id], self.clock())
        return await self.path(project_id, avatar_id, AVATAR, "model_asset_id") if found else None


def _done(settings: dict[str, Any], at: float, operation: str) -> dict[str, Any]:
    plans = [
        {**one, "done": True} if (from_rfc3339(one["operation_time"]), one["operation"]) == (at, operation) else one
        for one in settings["auto_operation_config"]
    ]
    return {**settings, "auto_operation_config": plans}
