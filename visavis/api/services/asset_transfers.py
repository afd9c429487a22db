"""Assets that change hands: one project offers, the other accepts; nothing crosses before both did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from visavis.api.identity import Identity
from visavis.api.services.assets import Assets
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import asset_transfers as store
from visavis.store import identity
from visavis.store.asset_files import NoSpaceError
from visavis.store.asset_transfers import Transfer
from visavis.store.assets import TooManyAssetsError, new_id

KEPT_S: Final = 7 * 86400.0
"""How long an offer stands."""
OUT, BACK = "TRANSFER_OUT", "TRANSFER_BACK"

_Act = Callable[[Assets, Transfer, str], Awaitable[dict[str, Any]]]


async def offer(library: Assets, caller: Identity, project_id: str, body: Mapping[str, Any]) -> Transfer:
    """Offer assets to another project.

    Raises:
        ApiError: there is no such project; an asset cannot be moved; what is to go back did not come from there;
            ``auto_accept`` by somebody who may not accept over there.
    """
    await library.settle()
    target, ids, kind = body["dest_project_id"], list(dict.fromkeys(body["asset_ids"])), body.get("transfer_type", OUT)
    if target == project_id:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "dest_project_id: the assets are there already")
    if kind == BACK:
        await _check_back(library, project_id, target, ids, body.get("transfer_job_id", ""))
    if await identity.project(library.database, target) is None:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"dest_project_id: there is no project {target!r} here")
    if not ids:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "asset_ids: at least one is needed")
    if body.get("auto_accept"):
        await _check_both(library, caller, target)
    now = library.clock()
    transfer = Transfer(
        id=new_id(),
        kind=kind,
        source_id=project_id,
        target_id=target,
        assets=[{"asset_id": one} for one in ids],
        state=store.PROCESSING,
        memo=body.get("memo", ""),
        activates=body.get("auto_active", False),
        billed=body.get("is_need_billing", False),
        created_at=now,
        expires_at=now + KEPT_S,
    )
    try:
        made = await store.offer(library.database, transfer)
    except store.NotMovableError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"asset_ids: {error}") from None
    if body.get("auto_accept"):
        await _accept(library, made)
    return made


async def _check_back(library: Assets, project_id: str, target: str, ids: list[str], job_id: str) -> None:
    came = await store.get(library.database, project_id, job_id) if job_id else None
    if came is None or (came.kind, came.state, came.target_id) != (OUT, "ACCEPT", project_id):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "transfer_job_id: names no transfer by which assets came here")
    if target != came.source_id or not set(ids) <= set(came.asset_ids):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, "transfer_job_id: these assets did not come from that project by it"
        )


async def _check_both(library: Assets, caller: Identity, target: str) -> None:
    """Whoever accepts for the other side in the same breath must be somebody there, too."""
    there = await identity.memberships_of(library.database, caller.user_id) if caller.user_id else []
    if not any(one.project.id == target and one.role.allows(Role.OPERATOR) for one in there):
        raise ApiError(
            ErrorCode.NO_PERMISSION, "auto_accept: only for a user who is an operator of the other project, too"
        )


# --- what is done to an offer ---------------------------------------------------------------------------------------


async def act(library: Assets, project_id: str, transfer_id: str, action: str, reason: str) -> dict[str, Any]:
    """cancel (by the sender), accept, accept_confirm or reject (by the receiver).

    Raises:
        ApiError: there is no such transfer; it is the other side's turn; it has ended; there is no room for the assets.
    """
    transfer = await get(library, project_id, transfer_id)
    by_sender = action == "cancel"
    if project_id != (transfer.source_id if by_sender else transfer.target_id):
        side = "sends" if by_sender else "receives"
        raise ApiError(ErrorCode.NO_PERMISSION, f"{action} is for the project that {side} the assets")
    try:
        return await _ACTS[action](library, transfer, reason)
    except store.TransferStateError as error:
        raise ApiError(ErrorCode.NOT_NOW, f"the transfer is {error}") from None


async def _cancel(library: Assets, transfer: Transfer, reason: str) -> dict[str, Any]:
    await store.end(library.database, transfer.id, "CANCEL", reason, library.clock())
    return {}


async def _reject(library: Assets, transfer: Transfer, reason: str) -> dict[str, Any]:
    await store.end(library.database, transfer.id, "REJECT", reason, library.clock())
    return {}


async def _agree(library: Assets, transfer: Transfer, reason: str) -> dict[str, Any]:
    # Nothing is sold here, so nothing is taken off: but who asked for the second step gets it.
    if transfer.billed:
        await store.agree(library.database, transfer.id, library.clock())
    else:
        await _accept(library, transfer)
    return {"accept_respone": {"is_need_billing": transfer.billed, "required_resources": []}}


async def _confirm(library: Assets, transfer: Transfer, reason: str) -> dict[str, Any]:
    if transfer.billed and not transfer.accepted:
        raise ApiError(ErrorCode.NOT_NOW, "accept comes before accept_confirm")
    await _accept(library, transfer)
    return {"accept_respone": {"is_need_billing": transfer.billed, "required_resources": []}}


async def _accept(library: Assets, transfer: Transfer) -> None:
    failed = ErrorCode.NOT_NOW
    try:
        done, unfinished = await store.accept(
            library.database, transfer.id, library.quota, library.clock(), failed.code
        )
    except (NoSpaceError, TooManyAssetsError) as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    await library.forget(*unfinished)
    if done.state == "FAIL":
        raise ApiError(failed, f"the transfer is FAIL: {done.error_msg}")


_ACTS: Final[dict[str, _Act]] = {"cancel": _cancel, "reject": _reject, "accept": _agree, "accept_confirm": _confirm}


# --- showing --------------------------------------------------------------------------------------------------------


async def get(library: Assets, project_id: str, transfer_id: str) -> Transfer:
    """The transfer. ApiError: the project takes part in none of that id."""
    await library.settle()
    transfer = await store.get(library.database, project_id, transfer_id)
    if transfer is None:
        raise ApiError(ErrorCode.NOT_FOUND, "no such transfer")
    return transfer


def shown(transfer: Transfer) -> dict[str, Any]:
    """A transfer as answers have it. Its assets are told by name and type: their pictures have not changed hands."""
    failed = {"error_code": transfer.error_code, "error_msg": transfer.error_msg} if transfer.error_code else None
    return {
        "job_id": transfer.id,
        "transfer_type": transfer.kind,
        "transfer_assets": transfer.assets,
        "state": transfer.state,
        "src_project_id": transfer.source_id,
        "dest_project_id": transfer.target_id,
        "memo": transfer.memo,
        "reason": transfer.reason,
        "start_time": rfc3339(transfer.created_at),
        "finish_time": rfc3339(transfer.finished_at),
        "expire_time": rfc3339(transfer.expires_at),
        "is_need_billing": transfer.billed,
        **({"error_info": failed} if failed else {}),
    }
