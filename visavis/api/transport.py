"""Plain routes of signed URLs: contents of uploads come in, files of assets and of speech jobs go out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import FileResponse

from visavis.api.context import Ctx
from visavis.api.services import asset_uploads, speaking
from visavis.contract.assets import DOWNLOAD_PREFIX, UPLOAD_PREFIX
from visavis.contract.errors import ApiError, ErrorCode

router = APIRouter()

Token = Annotated[str, Query(max_length=2048)]

# What a user uploaded must not act as a page of ours, whatever it is.
_HARMLESS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_SHOWN = {"png": "image/png", "jpg": "image/jpeg", "mp4": "video/mp4", "webm": "video/webm"}


@router.put(UPLOAD_PREFIX + "{file_id}")
async def upload(request: Request, context: Ctx, file_id: str, token: Token = "") -> Response:
    """Take the content of an announced file. The token in the URL is the only credential: it serves this one upload."""
    await asset_uploads.receive(context.assets, file_id, 0, token, request.headers, request.stream())
    return Response(status_code=200)


@router.put(UPLOAD_PREFIX + "{file_id}/{part}")
async def upload_part(
    request: Request, context: Ctx, file_id: str, part: Annotated[int, Path(ge=1, le=10**6)], token: Token = ""
) -> Response:
    """Take one part of a large file; each has a token of its own."""
    await asset_uploads.receive(context.assets, file_id, part, token, request.headers, request.stream())
    return Response(status_code=200)


@router.get(DOWNLOAD_PREFIX + "{file_id}")
async def fetch(context: Ctx, file_id: str, token: Token = "") -> FileResponse:
    """A file of an asset. The token in the URL is the only credential: it is of this file, for a day."""
    file, path = await asset_uploads.downloaded(context.assets, file_id, token)
    if not path.is_file():
        raise ApiError(ErrorCode.INVALID_TOKEN, "the download's URL is wrong or expired")
    media_type = _SHOWN.get(file.extension, "application/octet-stream")
    disposition = "inline" if file.extension in _SHOWN else "attachment"
    return FileResponse(
        path, media_type=media_type, filename=file.name, content_disposition_type=disposition, headers=_HARMLESS
    )


@router.get(speaking.DOWNLOAD_PREFIX + "{name}")
async def download(context: Ctx, name: str, token: Token = "") -> FileResponse:
    """A synthesised file. The token in the URL is the only credential: it is of this file, for an hour."""
    path = await speaking.file_of(context.settings, context.database, token, context.clock())
    if path is None or path.name != name or not path.is_file():
        raise ApiError(ErrorCode.INVALID_TOKEN, "the download's URL is wrong or expired")
    return FileResponse(path, headers={"Cache-Control": "private, no-store"})
