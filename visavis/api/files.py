"""Routes of uploads (announce a file, send it, confirm it, delete it), and of the files that were synthesised."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import FileResponse

from visavis.api.context import Ctx, base_url
from visavis.api.identity import ProjectId, project_of
from visavis.api.parse import json_body
from visavis.api.services import speaking
from visavis.api.services.assets import UPLOAD_PREFIX
from visavis.contract.assets import ConfirmFile, CreateFile, FileCreated
from visavis.contract.errors import ApiError, ErrorCode

router = APIRouter()
_signed = [Depends(project_of)]


@router.post("/v1/{project_id}/files", dependencies=_signed)
async def create_file(
    request: Request, context: Ctx, project_id: ProjectId, body: Annotated[CreateFile, Depends(json_body(CreateFile))]
) -> FileCreated:
    """Announce a file; the answer tells where to send it."""
    return await context.assets.announce(project_id, body, base_url(request, context.settings))


@router.post("/v1/{project_id}/files/{file_id}/complete", dependencies=_signed)
async def confirm_file(
    context: Ctx, project_id: ProjectId, file_id: str, body: Annotated[ConfirmFile, Depends(json_body(ConfirmFile))]
) -> dict[str, str]:
    """Confirm an upload (or give it up): its content is checked now."""
    await context.assets.complete(project_id, file_id, body.state)
    return {}


@router.delete("/v1/{project_id}/files/{file_id}", dependencies=_signed)
async def delete_file(context: Ctx, project_id: ProjectId, file_id: str) -> dict[str, str]:
    """Delete a file of an asset."""
    await context.assets.remove_file(project_id, file_id)
    return {}


@router.put(UPLOAD_PREFIX + "{file_id}")
async def upload(
    request: Request, context: Ctx, file_id: str, token: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """Take the content of an announced file. The token in the URL is the only credential: it serves this one upload."""
    await context.assets.receive(file_id, token, request.stream())
    return Response(status_code=200)


@router.get(speaking.DOWNLOAD_PREFIX + "{name}")
async def download(context: Ctx, name: str, token: Annotated[str, Query(max_length=2048)] = "") -> FileResponse:
    """A synthesised file. The token in the URL is the only credential: it is of this file, for an hour."""
    path = await speaking.file_of(context.settings, context.database, token, context.clock())
    if path is None or path.name != name or not path.is_file():
        raise ApiError(ErrorCode.INVALID_TOKEN, "the download's URL is wrong or expired")
    return FileResponse(path, headers={"Cache-Control": "private, no-store"})
