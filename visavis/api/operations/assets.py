"""Assets: voices, avatars and backgrounds that are built in, and what projects uploaded."""

from __future__ import annotations

from typing import Any

from visavis.api.auditing import note
from visavis.api.context import base_url
from visavis.api.identity import require as require_role
from visavis.api.services import asset_changes, asset_replication, asset_transfers
from visavis.api.services.asset_listing import Entry, Links, built_in, entry, matching, ordered, shown, summary
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import asset_transfers as transfers
from visavis.store import assets as store
from visavis.store.assets import UploadedAsset


def _links(call: Call) -> Links:
    return Links(base_url(call.request, call.context.settings), call.context.database.vault, call.now)


def _built_in(call: Call, asset_id: str) -> dict[str, Any] | None:
    found = built_in(call.project_id, call.context.catalogue)
    return next((one.shown for one in found if one.shown["asset_id"] == asset_id), None)


async def _own(call: Call, asset_id: str = "") -> UploadedAsset:
    """The caller's asset. ApiError: there is none; or it is built in, and cannot be changed."""
    asset_id = asset_id or call.path["asset_id"]
    if _built_in(call, asset_id) is not None:
        raise ApiError(ErrorCode.NO_PERMISSION, "what is built in cannot be changed")
    return await call.context.assets.get(call.project_id, asset_id, call.app_user)


# --- listing and showing --------------------------------------------------------------------------------------------


@handles("list_assets")
async def list_assets(call: Call) -> dict[str, Any]:
    """What is built in, then what was uploaded; or what another project shares (``role`` SHAREE)."""
    query = dict(call.query)
    database, links, now = call.context.database, _links(call), call.now
    await call.context.assets.settle()
    # The cloud's default is the tenant's own assets. Here all are listed unless one kind is asked for.
    source = query.pop("asset_source", "ALL")
    found: list[Entry] = []
    if source != "CUSTOMIZATION":
        found += built_in(call.project_id, call.context.catalogue)
    if source != "SYSTEM":
        shared = query.get("role") == "SHAREE"
        assets = (
            await store.shared_with(database, call.project_id, now)
            if shared
            else await store.listing(database, call.project_id)
        )
        theirs = [one for one in assets if shared or not call.app_user or one.app_user_id == call.app_user]
        found += [entry(one, links, now) for one in theirs]
    # The contract's default would turn the order around that lists without a key ever had.
    direction = call.request.query_params.get("sort_dir") or "asc"
    chosen = ordered(matching(found, query), query.get("sort_key"), direction)
    page = chosen[query["offset"] : query["offset"] + query["limit"]]
    return {"count": len(chosen), "assets": [one.shown for one in page]}


@handles("show_asset")
async def show_asset(call: Call) -> Any:
    """One asset: built in, the project's own, or shared with it."""
    asset_id = call.path["asset_id"]
    if (known := _built_in(call, asset_id)) is not None:
        return known
    await call.context.assets.settle()
    found = await store.usable(call.context.database, call.project_id, [asset_id], call.now)
    theirs = [one for one in found if not call.app_user or one.app_user_id == call.app_user]
    if not theirs:
        raise ApiError(ErrorCode.ASSET_NOT_FOUND)
    return Reply(shown(theirs[0], _links(call)), etag(theirs[0].version))


@handles("list_asset_summary")
async def list_summary(call: Call) -> dict[str, Any]:
    """Names, types and covers of the given assets, in the order given; unknown ids are left out."""
    await call.context.assets.settle()
    ids = list(dict.fromkeys(call.body["asset_ids"]))
    links = _links(call)
    found = await store.usable(call.context.database, call.project_id, ids, call.now)
    told = {one.id: summary(one, links) for one in found if not call.app_user or one.app_user_id == call.app_user}
    names = ("asset_id", "asset_name", "asset_state", "asset_type")
    for one in built_in(call.project_id, call.context.catalogue):
        told.setdefault(one.shown["asset_id"], {name: one.shown[name] for name in names})
    return {"asset_list": [told[one] for one in ids if one in told]}


# --- changing -------------------------------------------------------------------------------------------------------


@handles("create_digital_asset")
async def create_asset(call: Call) -> dict[str, Any]:
    """An asset without a file; that comes by ``create_file``."""
    asset = await asset_changes.create(call.context.assets, call.project_id, call.body, call.app_user)
    note(call.request, target=asset.id)
    return {"asset_id": asset.id}


@handles("update_digital_asset")
async def update_asset(call: Call) -> Reply:
    """Change the given fields of an uploaded asset."""
    asset = await _own(call)
    changed = await asset_changes.update(call.context.assets, call.caller, asset, call.body, call.expected_version)
    return Reply(shown(changed, _links(call)), etag(changed.version))


@handles("delete_asset")
async def delete_asset(call: Call) -> None:
    """Into the recycle bin, or (``mode`` force) for good."""
    asset = await _own(call)
    force = call.query.get("mode") == "force"
    await asset_changes.delete(call.context.assets, asset, force=force, expected=call.expected_version)


@handles("restore_asset")
async def restore_asset(call: Call) -> None:
    """Out of the recycle bin."""
    await asset_changes.restore(call.context.assets, await _own(call))


@handles("batch_execute_asset_action")
async def batch(call: Call) -> dict[str, Any]:
    """One action on many assets; what fails for one does not stop the others."""
    results = []
    ids = list(dict.fromkeys(call.body["asset_ids"]))
    note(call.request, target=f"{call.body['action']} {' '.join(ids)}"[:128])
    for asset_id in ids:
        result: dict[str, Any] = {"ret_status": "SUCCESS", "asset_ids": [asset_id]}
        try:
            asset = await _own(call, asset_id)
            await asset_changes.act(
                call.context.assets, call.caller, asset, call.body["action"], call.body.get("params", "")
            )
        except ApiError as error:
            result |= {"ret_status": "FAILED", "error_info": error.body()}
        results.append(result)
    return {"results": results}


# --- copies and transfers -------------------------------------------------------------------------------------------


@handles("show_asset_replication_info")
async def show_replication(call: Call) -> dict[str, Any]:
    """What another project needs to copy the asset."""
    # It reads, but what it gives away lets others have the files.
    require_role(call.caller, Role.OPERATOR)
    return asset_replication.information(call.context.assets, await _own(call))


@handles("create_asset_by_replication_info")
async def replicate(call: Call) -> None:
    """A copy of another project's asset."""
    asset = await asset_replication.replicate(call.context.assets, call.project_id, call.body, call.app_user)
    note(call.request, target=asset.id)


@handles("transfer_asset")
async def transfer(call: Call) -> dict[str, Any]:
    """Offer assets to another project."""
    made = await asset_transfers.offer(call.context.assets, call.caller, call.project_id, call.body)
    note(call.request, target=made.id)
    return {"job_id": made.id}


@handles("list_transfer_asset_jobs")
async def list_transfers(call: Call) -> dict[str, Any]:
    """Transfers in which the project takes part, newest first."""
    await call.context.assets.settle()
    query = call.query
    states = [one for one in query.get("state", "").split(",") if one]
    count, page = await transfers.listing(
        call.context.database,
        call.project_id,
        query["role"],
        query["transfer_type"],
        states,
        query["offset"],
        query["limit"],
    )
    return {"count": count, "jobs": [asset_transfers.shown(one) for one in page]}


@handles("show_transfer_asset_job")
async def show_transfer(call: Call) -> dict[str, Any]:
    """One transfer."""
    return asset_transfers.shown(await asset_transfers.get(call.context.assets, call.project_id, call.path["job_id"]))


@handles("execute_transfer_asset_action")
async def act_on_transfer(call: Call) -> dict[str, Any]:
    """Accept, refuse or withdraw an offer."""
    job_id, action, reason = call.path["job_id"], call.path["action"], call.body.get("reason", "")
    note(call.request, target=job_id)
    return await asset_transfers.act(call.context.assets, call.project_id, job_id, action, reason)
