"""What owners do to their assets: make, change, delete, restore, share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from visavis.api.identity import Identity
from visavis.api.identity import require as require_role
from visavis.api.services.assets import Assets, binned, scheduled
from visavis.contract.assets import BIN, FROZEN, MAX_FILE_BYTES, REFUSED
from visavis.contract.base import from_rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import assets as store
from visavis.store.assets import UploadedAsset

SHARED_DAYS: Final = 30
_KEPT: Final = (
    "asset_description",
    "tags",
    "asset_order",
    "supported_service",
    "asset_extra_meta",
    "is_need_generate_cover",
    "review_config",
)


class _Share(BaseModel):
    """The parameters of the batch action SHARE."""

    model_config = ConfigDict(extra="ignore", strict=True)

    allowed_project_ids: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(min_length=1, max_length=100)
    expire_time: str = ""


# --- settings -------------------------------------------------------------------------------------------------------


def check_kind(kind: str) -> None:
    """ApiError: assets of that type cannot be made here; it says why."""
    if kind not in MAX_FILE_BYTES:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"asset_type: {REFUSED.get(kind, 'unknown')}")


def _settings(old: Mapping[str, Any], body: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The settings after the given fields."""
    new = {**old, **{name: body[name] for name in _KEPT if name in body}}
    if "system_properties" in body:
        new["system_properties"] = _properties(old.get("system_properties", []), body["system_properties"])
    if "auto_operation_config" in body:
        new["auto_operation_config"] = _plans(body["auto_operation_config"])
    if "shared_config" in body:
        new["shared"] = _shared(body["shared_config"], now)
    return new


def _properties(old: list[dict[str, str]], orders: list[dict[str, str]]) -> list[dict[str, str]]:
    """Properties have one value each; an entry with the action DELETE takes one away."""
    values = {one["key"]: one["value"] for one in old}
    for order in orders:
        key = order.get("key", "")
        if not key:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "system_properties: an entry lacks its key")
        if order.get("action") == "DELETE":
            values.pop(key, None)
        elif "value" not in order:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"system_properties: {key!r} lacks its value")
        else:
            values[key] = order["value"]
    return [{"key": key, "value": value} for key, value in values.items()]


def _plans(plans: list[dict[str, str]]) -> list[dict[str, str]]:
    for one in plans:
        if "operation" not in one or "operation_time" not in one:
            raise ApiError(
                ErrorCode.INVALID_PARAMETER, "auto_operation_config: an entry needs operation and operation_time"
            )
    return [{"operation": one["operation"], "operation_time": one["operation_time"]} for one in plans]


def _shared(config: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Whom an asset is shared with, and until when. As published, for thirty days to the end of the day."""
    kind = config.get("shared_type", "PRIVATE")
    if kind == "PRIVATE":
        return {}
    if kind == "PUBLIC":
        raise ApiError(ErrorCode.INVALID_PARAMETER, "shared_config: only what is built in is public")
    projects = config.get("allowed_project_ids", [])
    if not projects:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "shared_config: allowed_project_ids is needed for SHARED")
    if told := config.get("expire_time"):
        try:
            until = from_rfc3339(told)  # in a batch's params nobody has looked at it
        except ValueError:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "shared_config: expire_time: wanted RFC 3339") from None
    else:
        day = datetime.fromtimestamp(now, UTC) + timedelta(days=SHARED_DAYS)
        until = day.replace(hour=23, minute=59, second=59, microsecond=0).timestamp()
    return {"projects": list(dict.fromkeys(projects)), "until": until}


# --- one asset ------------------------------------------------------------------------------------------------------


async def create(library: Assets, project_id: str, body: Mapping[str, Any], app_user: str) -> UploadedAsset:
    """A new asset without a file. ApiError: of its type there are none here; the project has too many."""
    check_kind(body["asset_type"])
    now = library.clock()
    asset = UploadedAsset(
        id=store.new_id(),
        project_id=project_id,
        name=body["asset_name"],
        kind=body["asset_type"],
        state="CREATING",
        settings=_settings({}, body, now),
        created_at=now,
        updated_at=now,
        app_user_id=app_user,
    )
    try:
        await store.create(library.database, scheduled(asset))
    except store.TooManyAssetsError as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    return asset


async def update(
    library: Assets, caller: Identity, asset: UploadedAsset, body: Mapping[str, Any], expected: int | None = None
) -> UploadedAsset:
    """Change the given fields. ApiError: the asset's state does not allow it, or it is of another version."""
    now = library.clock()

    def alter(old: UploadedAsset) -> UploadedAsset:
        kind = body.get("asset_type", old.kind)
        if kind != old.kind:
            check_kind(kind)
            if old.files:
                raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_type: it stays what it is once there is a file")
        new = replace(
            old, name=body.get("asset_name", old.name), kind=kind, settings=_settings(old.settings, body, now)
        )
        if "asset_state" in body:
            new = _in_state(caller, new, body["asset_state"])
        return scheduled(new)

    return await _changed(library, asset, alter, expected)


def _in_state(caller: Identity, asset: UploadedAsset, state: str) -> UploadedAsset:
    if asset.state == BIN:
        raise ApiError(ErrorCode.NOT_NOW, "asset_state: it lies in the recycle bin: restore it first")
    if asset.state == FROZEN:
        require_role(caller, Role.ADMIN)
    if asset.main is None:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_state: the asset has no file yet")
    return replace(asset, state=state, reason="")


async def restore(library: Assets, asset: UploadedAsset) -> UploadedAsset:
    """Out of the recycle bin, into the state that it had. ApiError: it does not lie there."""

    def alter(old: UploadedAsset) -> UploadedAsset:
        if old.state != BIN:
            raise ApiError(ErrorCode.NOT_NOW, f"the asset is {old.state}, it does not lie in the recycle bin")
        return scheduled(replace(old, state=old.state_before, state_before="", bin_until=None))

    return await _changed(library, asset, alter)


async def _changed(library: Assets, asset: UploadedAsset, alter: Any, expected: int | None = None) -> UploadedAsset:
    try:
        changed = await store.change(library.database, asset.project_id, asset.id, alter, library.clock(), expected)
    except store.AssetVersionError:
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    if changed is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND)
    return changed


async def delete(library: Assets, asset: UploadedAsset, *, force: bool, expected: int | None = None) -> None:
    """Into the recycle bin, from where it can be restored for a time; ``force``: for good, with its files.

    Raises:
        ApiError: a room shows it; or it is of another version.
    """
    now = library.clock()

    def into_bin(old: UploadedAsset) -> UploadedAsset:
        return old if old.state == BIN else binned(old, now, library.bin_s)

    try:
        gone = await store.leave(
            library.database, asset.project_id, asset.id, None if force else into_bin, now, expected
        )
    except store.AssetInUseError as error:
        raise ApiError(ErrorCode.IN_USE, f"the room {str(error)!r} shows the asset") from None
    except store.AssetVersionError:
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    if gone is None:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND)
    if force:
        await library.forget(*gone.files)


# --- many -----------------------------------------------------------------------------------------------------------


async def act(library: Assets, caller: Identity, asset: UploadedAsset, action: str, params: str) -> None:
    """One action of a batch. ApiError: as the single operations."""
    if action in ("DELETE", "DELETE_FORCE"):
        await delete(library, asset, force=action == "DELETE_FORCE")
    elif action == "RESTORE":
        await restore(library, asset)
    elif action in ("ACTIVE", "UNACTIVE"):
        await update(library, caller, asset, {"asset_state": "ACTIVED" if action == "ACTIVE" else "UNACTIVED"})
    else:
        config = {"shared_type": "PRIVATE"} if action == "UNSHARE" else _share_params(params)
        await update(library, caller, asset, {"shared_config": config})


def _share_params(params: str) -> dict[str, Any]:
    try:
        given = _Share.model_validate_json(params or "{}")
    except ValidationError:
        raise ApiError(
            ErrorCode.INVALID_PARAMETER,
            'params: SHARE wants JSON: {"allowed_project_ids": ["..."], "expire_time": RFC 3339, may be left out}',
        ) from None
    return {"shared_type": "SHARED", **given.model_dump()}
