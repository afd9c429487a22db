"""The rules of assets: built-in backgrounds, uploaded pictures and videos, and the way an upload takes.

As published: an asset is made (CREATING), a file is announced for it, the file is sent with PUT to the URL that the answer
names, and the upload is confirmed. Only then is the content looked at; if it is what it should be, the asset is ACTIVED.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from visavis import log
from visavis.api.services.pictures import Kind, PictureRefusedError, check_file
from visavis.avatar.background import shipped
from visavis.contract.assets import (
    MAX_FILE_BYTES,
    Asset,
    AssetFields,
    AssetFile,
    CreateAsset,
    CreateFile,
    FileCreated,
    UpdateAsset,
)
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.settings import Settings
from visavis.store import assets as store
from visavis.store.assets import UploadedAsset
from visavis.store.database import Database

UPLOAD_PREFIX = "/upload/v1/"
UPLOAD_TTL_S = 3600.0
BACKGROUND = "background-"
"""A built-in background is an asset of this and its name."""

_KINDS: dict[str, Kind] = {"IMAGE": "picture", "VIDEO": "video"}
_CHUNK = 1 << 20

_log = log.get(__name__)


def backgrounds() -> dict[str, Path]:
    """The built-in backgrounds: asset id -> file."""
    return {BACKGROUND + name: path for name, path in shipped().items()}


async def require(database: Database, project_id: str, asset_id: str, kind: str, field: str) -> None:
    """ApiError unless the project can use ``asset_id`` as ``kind`` (IMAGE or VIDEO); ``field`` names it."""
    if kind == "IMAGE" and asset_id in backgrounds():
        return
    asset = await store.get(database, project_id, asset_id)
    if asset is None or asset.kind != kind:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{field}: no asset {asset_id!r} of type {kind} here")
    if asset.state != "ACTIVED":
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{field}: the asset {asset_id!r} is {asset.state}, not ACTIVED")


def _given(body: AssetFields) -> dict[str, Any]:
    """The settings that were given, under the names of the answer."""
    fields = body.model_dump(exclude_none=True, include=set(AssetFields.model_fields))
    return dict(fields)


class Assets:
    """Uploaded assets: rows in the database, files in the data folder."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], float]) -> None:
        self._folder = settings.data / "assets"
        self._database = database
        self._clock = clock
        self._receiving: set[str] = set()

    async def create(self, project_id: str, body: CreateAsset) -> str:
        """The id of a new asset. ApiError: the project has too many."""
        try:
            made = await store.create(
                self._database, project_id, body.asset_name, body.asset_type, _given(body), self._clock()
            )
        except store.TooManyAssetsError as error:
            raise ApiError(ErrorCode.INVALID_PARAMETER, str(error)) from None
        return made.id

    async def get(self, project_id: str, asset_id: str) -> UploadedAsset:
        """The asset. ApiError: there is none."""
        asset = await store.get(self._database, project_id, asset_id)
        if asset is None:
            raise ApiError(ErrorCode.ASSET_NOT_FOUND)
        return asset

    async def listing(self, project_id: str) -> list[UploadedAsset]:
        """All assets of the project, newest first."""
        return await store.listing(self._database, project_id)

    async def change(self, project_id: str, asset_id: str, body: UpdateAsset) -> None:
        """Change the given fields. ApiError: no such asset, or it has no file yet."""
        asset = await self.get(project_id, asset_id)
        columns = {} if body.asset_name is None else {"name": body.asset_name}
        if body.asset_state is not None:
            if asset.main is None:
                raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_state: the asset has no file yet")
            columns["state"] = body.asset_state
        await store.change(self._database, project_id, asset_id, columns, _given(body), self._clock())

    async def remove(self, project_id: str, asset_id: str) -> None:
        """Delete the asset and its files. A running job that shows it goes on."""
        asset = await self.get(project_id, asset_id)
        await store.remove(self._database, project_id, asset_id)
        for file in asset.files:
            await asyncio.to_thread(self._forget, file)

    async def announce(self, project_id: str, body: CreateFile, base_url: str) -> FileCreated:
        """A file to come. ApiError: no such asset, it has one, the file is too large or of another category."""
        asset = await store.get(self._database, project_id, body.asset_id)
        if asset is None:
            raise ApiError(ErrorCode.ASSET_NOT_FOUND)
        if body.asset_file_category != "MAIN":
            raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_file_category: only MAIN is kept here")
        limit = MAX_FILE_BYTES[asset.kind]
        if body.file_size > limit:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"file_size: at most {limit} bytes for type {asset.kind}")
        token, now = secrets.token_urlsafe(32), self._clock()
        try:
            file = await store.add_file(
                self._database,
                asset,
                body.file_name,
                body.file_size,
                body.file_md5 or "",
                token,
                now,
                now + UPLOAD_TTL_S,
            )
        except store.MainFileExistsError:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_id: the asset has its MAIN file already") from None
        return FileCreated(file_id=file.id, upload_url=f"{base_url}{UPLOAD_PREFIX}{file.id}?token={token}")

    async def receive(self, file_id: str, token: str, content: AsyncIterator[bytes]) -> None:
        """Take an announced file in. ApiError: wrong token, another length or digest than announced."""
        file = await store.admit_upload(self._database, file_id, token, self._clock())
        if file is None or file.id in self._receiving:
            raise ApiError(ErrorCode.INVALID_TOKEN, "the upload's URL is wrong, used or expired")
        self._receiving.add(file.id)
        fresh = self._folder / f".{secrets.token_hex(8)}"
        try:
            await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            size, digest = await _save(content, fresh, file.size)
            if size != file.size:
                raise ApiError(ErrorCode.INVALID_PARAMETER, f"{size} bytes came, {file.size} were announced")
            if file.md5 and digest != file.md5:
                raise ApiError(ErrorCode.INVALID_PARAMETER, "the content does not have the announced MD5")
            if not await store.uploaded(self._database, file.id):
                raise ApiError(ErrorCode.INVALID_TOKEN, "the upload's URL is wrong, used or expired")
            await asyncio.to_thread(os.replace, fresh, self._path(file.id))
        finally:
            self._receiving.discard(file.id)
            fresh.unlink(missing_ok=True)

    async def complete(self, project_id: str, file_id: str, state: str) -> None:
        """The client is done with an upload, or has given it up. ApiError: nothing came, or it is not what it should be."""
        file = await store.get_file(self._database, project_id, file_id)
        if file is None:
            raise ApiError(ErrorCode.ASSET_NOT_FOUND, "no such file")
        if file.state == "CREATED":
            return  # confirmed before
        if state != "CREATED":
            await store.finish(self._database, file, state, "", {}, self._clock())
            await asyncio.to_thread(self._forget, file)
            return
        if file.state != "UPLOADED":
            raise ApiError(ErrorCode.INVALID_PARAMETER, "the file has not been uploaded")
        asset = await self.get(project_id, file.asset_id)
        try:
            extension = await asyncio.to_thread(check_file, self._path(file.id), _KINDS[asset.kind])
        except PictureRefusedError as error:
            await store.finish(self._database, file, "FAILED", "", {}, self._clock())
            await asyncio.to_thread(self._forget, file)
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"the file {error}") from None
        await store.finish(self._database, file, "CREATED", extension, {}, self._clock())

    async def remove_file(self, project_id: str, file_id: str) -> None:
        """Delete a file; its asset waits for another one. ApiError: there is none."""
        file = await store.remove_file(self._database, project_id, file_id, self._clock())
        if file is None:
            raise ApiError(ErrorCode.ASSET_NOT_FOUND, "no such file")
        await asyncio.to_thread(self._forget, file)

    async def path(self, project_id: str, asset_id: str, kind: str, field: str) -> Path:
        """The file that a worker can read. ApiError: see :func:`require`."""
        if kind == "IMAGE" and (built_in := backgrounds().get(asset_id)):
            return built_in
        await require(self._database, project_id, asset_id, kind, field)
        asset = await self.get(project_id, asset_id)
        if asset.main is None:
            raise ApiError(ErrorCode.ASSET_NOT_FOUND)
        return self._path(asset.main.id).resolve()

    def _path(self, file_id: str) -> Path:
        return self._folder / file_id

    def _forget(self, file: store.AssetFile) -> None:
        self._path(file.id).unlink(missing_ok=True)


async def _save(content: AsyncIterator[bytes], path: Path, limit: int) -> tuple[int, str]:
    """(length, Base64 of the MD5) of what was written; more than ``limit`` bytes are not read."""
    digest, size, block = hashlib.md5(usedforsecurity=False), 0, bytearray()
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in content:
            size += len(chunk)
            if size > limit:
                raise ApiError(ErrorCode.BODY_TOO_LARGE, f"{limit} bytes were announced")
            digest.update(chunk)
            block += chunk
            if len(block) >= _CHUNK:
                await asyncio.to_thread(file.write, bytes(block))
                block.clear()
        await asyncio.to_thread(file.write, bytes(block))
    return size, base64.b64encode(digest.digest()).decode()


def shown(asset: UploadedAsset) -> Asset:
    """An uploaded asset as answers have it."""
    settings = asset.settings
    return Asset(
        project_id=asset.project_id,
        asset_id=asset.id,
        asset_name=asset.name,
        asset_description=settings.get("asset_description", ""),
        create_time=rfc3339(asset.created_at),
        update_time=rfc3339(asset.updated_at),
        asset_type=asset.kind,
        asset_state=asset.state,
        tags=settings.get("tags", []),
        asset_extra_meta={},
        system_properties=settings.get("system_properties", []),
        files=[
            AssetFile(
                file_id=file.id,
                file_name=file.name,
                file_md5=file.md5,
                file_size=file.size,
                file_type=file.extension or file.name.rpartition(".")[2].lower()[:64],
                asset_file_category="MAIN",
                state=file.state,
            )
            for file in asset.files
        ],
        asset_order=settings.get("asset_order", 0),
        supported_service=settings.get("supported_service", ["CHAT_2D"]),
    )
