"""The end of an upload: its content is looked at, and its asset is ready, or has failed and says why."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Final

from visavis.api.services.asset_content import Content, ContentRefusedError, look
from visavis.api.services.assets import Assets
from visavis.contract.assets import TEMPORARY
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import asset_files
from visavis.store import assets as store
from visavis.store.assets import MAIN, AssetFile, UploadedAsset

_CHUNK: Final = 1 << 20
_LOOKING: Final = -1
"""Among what is received: a file that is looked at."""


async def complete(library: Assets, project_id: str, file_id: str, state: str) -> None:
    """The client is done with an upload (``state`` CREATED), or has given it up.

    Raises:
        ApiError: nothing came, or it is not what it should be. Then the asset is FAILED, with the reason.
    """
    await library.settle()
    file = await asset_files.get(library.database, project_id, file_id)
    asset = None if file is None else await store.get(library.database, project_id, file.asset_id)
    if file is None or asset is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND, "no such file")
    if file.state == "CREATED":
        return  # confirmed before
    if state != "CREATED":
        await _give_up(library, asset, replace(file, state=state), "")
        return
    if (file.id, _LOOKING) in library.receiving:
        raise ApiError(ErrorCode.NOT_NOW, "the file is being looked at already")
    library.receiving.add((file.id, _LOOKING))
    try:
        await _confirmed(library, asset, file)
    finally:
        library.receiving.discard((file.id, _LOOKING))


async def _confirmed(library: Assets, asset: UploadedAsset, file: AssetFile) -> None:
    if file.parts:
        file = await _joined(library, asset, file)
    if file.state != "UPLOADED":
        raise ApiError(ErrorCode.INVALID_PARAMETER, "the file has not been uploaded")
    cover = library.folder / f".{secrets.token_hex(8)}"
    try:
        async with library.looking:
            content = await look(library.place(file.id), asset.kind, file.category, file.name, cover)
        if file.category == TEMPORARY:
            file = replace(file, category=MAIN)
        await _ready(library, asset, file, content, cover)
    except FileNotFoundError:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "the file has not been uploaded") from None
    except ContentRefusedError as error:
        reason = f"the file {error}"
        await _give_up(library, asset, replace(file, state="FAILED", reason=reason), reason)
        raise ApiError(ErrorCode.INVALID_PARAMETER, reason) from None
    finally:
        cover.unlink(missing_ok=True)


async def _give_up(library: Assets, asset: UploadedAsset, file: AssetFile, reason: str) -> None:
    state = "FAILED" if file.category == MAIN and asset.main is None else None
    await asset_files.settle(library.database, file, state, library.clock(), reason=reason)
    await library.forget(file)


async def _joined(library: Assets, asset: UploadedAsset, file: AssetFile) -> AssetFile:
    """The file of all its parts."""
    came = await asset_files.parts(library.database, file.id)
    missing = [str(number) for number, size in came.items() if size is None]
    if missing:
        shown = ", ".join(missing[:10])
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, f"{len(missing)} of {len(came)} parts have not been uploaded: {shown}"
        )
    size = sum(size or 0 for size in came.values())
    if file.meta.get("announced") and size != file.size:
        reason = f"{size} bytes came, {file.size} were announced"
        await _give_up(library, asset, replace(file, state="FAILED", reason=reason), reason)
        raise ApiError(ErrorCode.INVALID_PARAMETER, reason)
    fresh = library.folder / f".{secrets.token_hex(8)}"
    try:
        md5 = await asyncio.to_thread(_join, library, file.id, sorted(came), fresh)
        await asyncio.to_thread(os.replace, fresh, library.place(file.id))
    except FileNotFoundError:
        raise ApiError(ErrorCode.NOT_NOW, "the file is being put together already") from None
    finally:
        fresh.unlink(missing_ok=True)
    if not await asset_files.uploaded(library.database, file.id):
        raise ApiError(ErrorCode.NOT_NOW, "the file is being put together already")
    for number in came:
        library.place_of_part(file.id, number).unlink(missing_ok=True)
    return replace(file, state="UPLOADED", size=size, md5=md5)


def _join(library: Assets, file_id: str, numbers: list[int], into: Path) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with into.open("wb") as whole:
        for number in numbers:
            with library.place_of_part(file_id, number).open("rb") as part:
                while data := part.read(_CHUNK):
                    md5.update(data)
                    whole.write(data)
    return base64.b64encode(md5.digest()).decode()


async def _ready(library: Assets, asset: UploadedAsset, file: AssetFile, content: Content, cover: Path) -> None:
    now = library.clock()
    if not file.md5:
        file = replace(file, md5=await asyncio.to_thread(_md5_of, library.place(file.id)))
    file = replace(file, state="CREATED", extension=content.extension, meta=content.meta)
    is_main = file.category == MAIN
    # A file that replaces another one does not wake an asset that was put to sleep.
    state = "ACTIVED" if is_main and asset.main is None else None
    gone = await asset_files.settle(library.database, file, state, now, instead=is_main)
    await library.forget(*gone)
    if is_main and content.cover and (asset.kind != "VIDEO" or asset.settings.get("is_need_generate_cover")):
        await _add_cover(library, asset, cover, now)


async def _add_cover(library: Assets, asset: UploadedAsset, cover: Path, now: float) -> None:
    """Keep the picture that was made of the content, unless the asset has a cover of its own."""
    made = [file for file in asset.files if file.category == "COVER" and file.meta.get("made")]
    if any(file.category == "COVER" and not file.meta.get("made") for file in asset.files):
        return
    for old in made:
        await asset_files.remove(library.database, asset.project_id, old.id, now)
    await library.forget(*made)
    file_id = store.new_id()
    size, md5 = await asyncio.to_thread(lambda: (cover.stat().st_size, _md5_of(cover)))
    await asyncio.to_thread(os.replace, cover, library.place(file_id))
    file = AssetFile(
        id=file_id,
        project_id=asset.project_id,
        asset_id=asset.id,
        name="cover.png",
        size=size,
        md5=md5,
        extension="png",
        state="CREATED",
        meta={"made": True},
        created_at=now,
        category="COVER",
    )
    if not await asset_files.add_ready(library.database, file):
        await library.forget(file)


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
