"""Files of assets: announced here, sent to the URLs that are answered (see ``visavis/api/transport.py``), confirmed, deleted."""

from __future__ import annotations

from typing import Any

from visavis.api.auditing import note
from visavis.api.context import base_url
from visavis.api.services import asset_uploads
from visavis.api.services.asset_confirm import complete
from visavis.api.skeleton import Call, handles


async def _announce(call: Call, parts: int) -> asset_uploads.Announced:
    library = call.context.assets
    asset = await library.get(call.project_id, call.body["asset_id"], call.app_user)
    base = base_url(call.request, call.context.settings)
    announced = await asset_uploads.announce(library, asset, call.body, base, parts)
    note(call.request, target=announced.file.id)
    return announced


@handles("create_file")
async def create_file(call: Call) -> dict[str, Any]:
    """Announce a file; the answer tells where to send it."""
    announced = await _announce(call, 0)
    return {"file_id": announced.file.id, "upload_url": announced.urls[0]}


@handles("create_large_file")
async def create_large_file(call: Call) -> dict[str, Any]:
    """Announce a file that comes in parts; each has its URL, in the order of the parts."""
    announced = await _announce(call, max(1, call.body["file_multipart_count"]))
    return {"file_id": announced.file.id, "upload_urls": announced.urls}


@handles("confirm_file_upload")
async def confirm_file(call: Call) -> None:
    """Confirm an upload (or give it up): its content is looked at now."""
    await complete(call.context.assets, call.project_id, call.path["file_id"], call.body["state"])


@handles("delete_file")
async def delete_file(call: Call) -> None:
    """Delete a file of an asset."""
    await asset_uploads.remove(call.context.assets, call.project_id, call.path["file_id"])
