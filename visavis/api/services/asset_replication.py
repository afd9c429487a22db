"""Copies of assets for other projects of this installation: one gets an information text, which makes one copy."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from visavis.api.services import asset_uploads
from visavis.api.services.assets import Assets
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import asset_transfers
from visavis.store import assets as store
from visavis.store.asset_files import NoSpaceError
from visavis.store.assets import TooManyAssetsError, UploadedAsset
from visavis.store.vault import VaultError, digest

KEPT_S: Final = 3600.0
"""How long an information can be used."""
ALGORITHM: Final = "AES-256-GCM"
_READY: Final = ("ACTIVED", "UNACTIVED", "WAITING_DELETE")
_WRONG: Final = (
    "asset_info: was not made here, was changed, or its asset, time or encryption_info is not told as it was"
)


def information(library: Assets, asset: UploadedAsset) -> dict[str, Any]:
    """What another project needs to make a copy of the asset, once and within an hour.

    ``iv`` is bound to the text: one does not open without the other. ``expire_time``: epoch seconds.

    Raises:
        ApiError: the asset is not ready.
    """
    if asset.state not in _READY or asset.main is None:
        raise ApiError(ErrorCode.NOT_NOW, f"the asset is {asset.state}")
    until = int(library.clock() + KEPT_S)
    iv = secrets.token_urlsafe(12)
    text = json.dumps([asset.project_id, asset.id, until])
    return {
        "asset_id": asset.id,
        "asset_info": library.database.vault.seal(text, _purpose(iv)),
        "encryption_info": {"algorithm": ALGORITHM, "key_id": library.database.vault.newest, "iv": iv},
        "expire_time": until,
    }


def _purpose(iv: str) -> str:
    return f"asset.replication.{iv}"


async def replicate(library: Assets, project_id: str, body: Mapping[str, Any], app_user: str) -> UploadedAsset:
    """A copy for the project, with files of its own; it is UNACTIVED or ACTIVED as the original is.

    Raises:
        ApiError: the information is wrong, used or too old; the original is gone; the project has no room.
    """
    await library.settle()
    source_id, asset_id, until = _opened(library, body)
    now = library.clock()
    if now >= until:
        raise ApiError(ErrorCode.NOT_NOW, "asset_info: it has expired")
    original = await store.get(library.database, source_id, asset_id)
    if original is None or original.state not in _READY or original.main is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND, "what was to be copied is not there any more")
    new_id = store.new_id()
    files = await asset_uploads.copied(library, original.files, new_id, project_id, now)
    settings = {
        name: value for name, value in original.settings.items() if name not in ("shared", "auto_operation_config")
    }
    copy = replace(
        original,
        id=new_id,
        project_id=project_id,
        settings=settings,
        state="UNACTIVED" if original.state == "UNACTIVED" else "ACTIVED",
        created_at=now,
        updated_at=now,
        app_user_id=app_user,
        version=1,
        due_at=None,
        files=files,
    )
    try:
        await asset_transfers.replicate(library.database, copy, digest(body["asset_info"]), until, library.quota, now)
    except asset_transfers.UsedBeforeError:
        await library.forget(*files)
        raise ApiError(ErrorCode.NOT_NOW, "asset_info: it makes one copy, and has") from None
    except (NoSpaceError, TooManyAssetsError) as error:
        await library.forget(*files)
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    return copy


def _opened(library: Assets, body: Mapping[str, Any]) -> tuple[str, str, int]:
    """(project, asset, until) that the information tells; all that stands beside it must agree."""
    beside = body.get("encryption_info", {})
    try:
        text = library.database.vault.unseal(body.get("asset_info", ""), _purpose(beside.get("iv", "")))
    except VaultError:
        raise ApiError(ErrorCode.INVALID_PARAMETER, _WRONG) from None
    source_id, asset_id, until = json.loads(text)
    told = body.get("asset_id", asset_id), body.get("expire_time", until), beside.get("algorithm", ALGORITHM)
    if told != (asset_id, until, ALGORITHM):
        raise ApiError(ErrorCode.INVALID_PARAMETER, _WRONG)
    return source_id, asset_id, until
