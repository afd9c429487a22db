"""The way of a file: announced, sent by a signed URL, in one piece or in parts, fetched again, copied, deleted."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from visavis.api.services.assets import Assets
from visavis.contract.assets import (
    BIN,
    DOWNLOAD_PREFIX,
    FROZEN,
    MAX_PARTS,
    TEMPORARY,
    UPLOAD_PREFIX,
    categories,
    most_bytes,
)
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import asset_files
from visavis.store import assets as store
from visavis.store.assets import AssetFile, UploadedAsset
from visavis.store.vault import Vault, VaultError

UPLOAD_TTL_S: Final = 3600.0
DOWNLOAD_TTL_S: Final = 86400.0
_CHUNK: Final = 1 << 20
_PURPOSE: Final = "asset.download"
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_SHA256_HEADERS: Final = ("x-obs-content-sha256", "x-amz-content-sha256")


@dataclass(frozen=True, slots=True)
class Announced:
    """A file to come, and where to send it (its parts)."""

    file: AssetFile
    urls: list[str]


# --- announcing -----------------------------------------------------------------------------------------------------


async def announce(
    library: Assets, asset: UploadedAsset, body: Mapping[str, Any], base: str, parts: int = 0
) -> Announced:
    """Announce a file of the asset. ``parts`` 0: it comes in one piece.

    Raises:
        ApiError: the asset has such a file already or cannot have one now, the file is too large, the project has no room.
    """
    if asset.state in (BIN, FROZEN):
        raise ApiError(ErrorCode.NOT_NOW, f"the asset is {asset.state}")
    category, size = body["asset_file_category"], body.get("file_size", 0)
    if category not in categories(asset.kind):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"asset_file_category: {asset.kind} has no {category}")
    if category == TEMPORARY and asset.main is None:
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, "asset_file_category: TEMPORARY replaces a MAIN file, and there is none"
        )
    limit = most_bytes(asset.kind, category)
    if size > limit:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"file_size: at most {limit} bytes for {category} of {asset.kind}")
    if parts > MAX_PARTS:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"file_multipart_count: at most {MAX_PARTS} parts")
    now = library.clock()
    tokens = [secrets.token_urlsafe(32) for _ in range(max(1, parts))]
    file = AssetFile(
        id=store.new_id(),
        project_id=asset.project_id,
        asset_id=asset.id,
        name=body["file_name"],
        size=size,
        md5=_md5(body.get("file_md5", "")),
        extension="",
        state="CREATING",
        meta={"announced": bool(size)},
        expires_at=now + UPLOAD_TTL_S,
        created_at=now,
        category=category,
        parts=parts,
    )
    try:
        void = await asset_files.announce(library.database, file, tokens, library.quota, now)
    except asset_files.MainFileExistsError:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_id: the asset has its MAIN file already") from None
    except asset_files.TooManyFilesError:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, f"an asset may have {asset_files.MAX_FILES} files") from None
    except asset_files.NoSpaceError as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    await library.forget(*void)
    place = f"{base}{UPLOAD_PREFIX}{file.id}"
    if not parts:
        return Announced(file, [f"{place}?token={tokens[0]}"])
    return Announced(file, [f"{place}/{number}?token={token}" for number, token in enumerate(tokens, 1)])


def _md5(text: str) -> str:
    """Base64 of the digest, as in RFC 1864; empty: not told."""
    if text:
        try:
            known = len(base64.b64decode(text, validate=True)) == 16
        except (binascii.Error, ValueError):
            known = False
        if not known:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "file_md5: wanted Base64 of the 16 bytes of the MD5 digest")
    return text


# --- receiving ------------------------------------------------------------------------------------------------------


async def receive(
    library: Assets, file_id: str, part: int, token: str, headers: Mapping[str, str], content: AsyncIterator[bytes]
) -> None:
    """Take an announced file in, or a part (from 1 on) of one.

    Raises:
        ApiError: a wrong, used or expired token; another length or digest than was announced (or than the headers tell).
    """
    now, database = library.clock(), library.database
    if part:
        file = await asset_files.admit_part(database, file_id, part, token, now)
    else:
        file = await asset_files.admit(database, file_id, token, now)
    if file is None or (file.id, part) in library.receiving:
        raise ApiError(ErrorCode.INVALID_TOKEN, "the upload's URL is wrong, used or expired")
    limit = await _limit(library, file, part)
    length = headers.get("content-length", "")
    if length.isdecimal() and not part and int(length) < file.size:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{int(length)} bytes came, {file.size} were announced")
    library.receiving.add((file.id, part))
    fresh = library.folder / f".{secrets.token_hex(8)}"
    try:
        await asyncio.to_thread(library.folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        async with _counted(library, file, part) as grown:
            size, md5, sha256 = await _save(content, fresh, limit, grown)
        _check_digests(file, part, size, md5, sha256, headers)
        # Only whoever the database takes for the first one puts its content there: nothing that was looked at is exchanged.
        if not await _came(library, file, part, size, limit):
            raise ApiError(ErrorCode.INVALID_TOKEN, "the upload's URL is wrong, used or expired")
        place = library.place_of_part(file.id, part) if part else library.place(file.id)
        await asyncio.to_thread(os.replace, fresh, place)
    finally:
        library.receiving.discard((file.id, part))
        fresh.unlink(missing_ok=True)


async def _limit(library: Assets, file: AssetFile, part: int) -> int:
    """Bytes that may come with this request."""
    if not part:
        return file.size
    asset = await store.get(library.database, file.project_id, file.asset_id)
    if asset is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND)
    whole = file.size if file.meta.get("announced") else most_bytes(asset.kind, file.category)
    came = await asset_files.parts(library.database, file.id)
    return whole - sum(size or 0 for size in came.values())


async def _came(library: Assets, file: AssetFile, part: int, size: int, limit: int) -> bool:
    if not part:
        return await asset_files.uploaded(library.database, file.id)
    whole = file.size if file.meta.get("announced") else limit + size
    try:
        return await asset_files.uploaded_part(library.database, file, part, size, whole, library.quota)
    except asset_files.NoSpaceError as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None


def _check_digests(file: AssetFile, part: int, size: int, md5: str, sha256: str, headers: Mapping[str, str]) -> None:
    if not part and size != file.size:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{size} bytes came, {file.size} were announced")
    if not part and file.md5 and md5 != file.md5:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "the content does not have the announced MD5")
    told = headers.get("content-md5", "")
    if told and told != md5:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "the content does not have the MD5 of Content-MD5")
    for name in _SHA256_HEADERS:
        # Clients of object storage also write words here, which say that there is no digest.
        if (told := headers.get(name, "")) and _SHA256.fullmatch(told) and told.lower() != sha256:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"the content does not have the SHA-256 of {name}")


@asynccontextmanager
async def _counted(library: Assets, file: AssetFile, part: int) -> AsyncIterator[Callable[[int], None]]:
    """Counts what comes of a part without an announced size, which nobody made room for: so much must not even be written."""
    if not part or not library.quota or file.meta.get("announced"):
        yield lambda _: None
        return
    project_id, arriving, mine = file.project_id, library.arriving, 0
    left = await asset_files.left(library.database, project_id, library.quota)

    def grown(size: int) -> None:
        nonlocal mine
        mine += size
        arriving[project_id] = arriving.get(project_id, 0) + size
        if arriving[project_id] > left:
            most = library.quota
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, f"the project's files may take {most} bytes, {left} are left")

    try:
        yield grown
    finally:
        arriving[project_id] = arriving.get(project_id, 0) - mine
        if not arriving[project_id]:
            del arriving[project_id]


async def _save(
    content: AsyncIterator[bytes], path: Path, limit: int, grown: Callable[[int], None]
) -> tuple[int, str, str]:
    """(length, Base64 of the MD5, SHA-256) of what was written; more than ``limit`` bytes are not read.

    ``grown`` is told of each piece, and may raise.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size, block = 0, bytearray()
    with await asyncio.to_thread(path.open, "wb") as file:

        def write(data: bytes) -> None:
            md5.update(data)
            sha256.update(data)
            file.write(data)

        async for chunk in content:
            size += len(chunk)
            if size > limit:
                raise ApiError(ErrorCode.BODY_TOO_LARGE, f"{limit} bytes were announced")
            grown(len(chunk))
            block += chunk
            if len(block) >= _CHUNK:
                await asyncio.to_thread(write, bytes(block))
                block.clear()
        await asyncio.to_thread(write, bytes(block))
    return size, base64.b64encode(md5.digest()).decode(), sha256.hexdigest()


# --- deleting, copying ----------------------------------------------------------------------------------------------


async def remove(library: Assets, project_id: str, file_id: str) -> None:
    """Delete a file of an asset; without its MAIN file the asset waits for another one.

    Raises:
        ApiError: there is none; a room shows the asset whose MAIN file it is.
    """
    file = await asset_files.get(library.database, project_id, file_id)
    if file is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND, "no such file")
    try:
        await asset_files.remove(library.database, project_id, file_id, library.clock())
    except store.AssetInUseError as error:
        raise ApiError(ErrorCode.IN_USE, f"the room {str(error)!r} shows the asset") from None
    await library.forget(file)


async def copied(
    library: Assets, files: tuple[AssetFile, ...], asset_id: str, project_id: str, now: float
) -> tuple[AssetFile, ...]:
    """Files of another asset, copied: their content is linked where the file system can, so it is stored once."""
    ready = [file for file in files if file.state == "CREATED"]
    made = tuple(
        replace(file, id=store.new_id(), asset_id=asset_id, project_id=project_id, created_at=now, parts=0)
        for file in ready
    )
    for old, new in zip(ready, made, strict=True):
        await asyncio.to_thread(_link, library.place(old.id), library.place(new.id))
    return made


def _link(source: Path, target: Path) -> None:
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)


# --- fetching -------------------------------------------------------------------------------------------------------


def download_url(base: str, vault: Vault, file: AssetFile, now: float) -> str:
    """Where the file can be fetched for a day, by whoever has the URL; empty: it is not ready."""
    if file.state != "CREATED":
        return ""
    token = vault.seal(json.dumps([file.project_id, file.id, now + DOWNLOAD_TTL_S]), _PURPOSE)
    return f"{base}{DOWNLOAD_PREFIX}{file.id}?token={quote(token, safe='')}"


async def downloaded(library: Assets, file_id: str, token: str) -> tuple[AssetFile, Path]:
    """The file that such a URL leads to.

    Raises:
        ApiError: wrong or expired; or the asset lies in the recycle bin, is frozen, or belongs to somebody else by now.
    """
    try:
        project_id, named, until = json.loads(library.database.vault.unseal(token, _PURPOSE))
    except VaultError:
        raise ApiError(ErrorCode.INVALID_TOKEN, "the download's URL is wrong or expired") from None
    await library.settle()
    file = await asset_files.get(library.database, project_id, file_id) if named == file_id else None
    asset = None if file is None else await store.get(library.database, project_id, file.asset_id)
    if library.clock() >= until or file is None or asset is None or file.state != "CREATED":
        raise ApiError(ErrorCode.INVALID_TOKEN, "the download's URL is wrong or expired")
    if asset.state in (BIN, FROZEN):
        raise ApiError(ErrorCode.NOT_NOW, f"the asset is {asset.state}")
    return file, library.place(file.id)
