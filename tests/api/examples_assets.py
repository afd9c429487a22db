"""Valid requests for assets, their copies and their transfers."""

from __future__ import annotations

from typing import Any

import pytest
from contract_world import Ask, World, example, fill
from examples_files import PNG, sent

from visavis.api.services import asset_transfers
from visavis.contract.errors import ApiError
from visavis.store import identity

# What the answers of an uploaded asset cannot have here.
_REASONS = {
    "produce_id": "marks what a service of the cloud generated",
    "fail_type": "nothing is reviewed here",
    "block_reason_code": "nothing is reviewed here; reason says why",
    "system_properties.action": "an order of changes, not a part of the property",
    "files.block_reason_code": "nothing is reviewed here",
    "files.file_extra_meta": "nothing is transcoded",
}


def _within(where: str = "") -> dict[str, str]:
    return {f"{where}{name}": reason for name, reason in _REASONS.items()}


def _third(world: World) -> str:
    """A project that is neither the caller's nor the one that must see nothing."""
    world.run(identity.ensure_project(world.context.database, "p3", 1.0))
    return "p3"


def _body(shape: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "asset_name": "logo",
        "asset_type": "IMAGE",
        "shared_config": {
            "shared_type": "SHARED",
            "allowed_project_ids": ["p3"],
            "expire_time": "2100-01-01T00:00:00Z",
        },
        "auto_operation_config": [{"operation": "BLOCK", "operation_time": "2100-01-01T00:00:00Z"}],
        "supported_service": ["CHAT_2D"],
    }
    return fill(shape, **{**given, **more})


@example("create_digital_asset")
def _made(world: World) -> Ask:
    return Ask(body=_body("CreateDigitalAssetRequestBody"), absent={"produce_id": _REASONS["produce_id"]})


def ready(world: World) -> str:
    """The id of an asset with its file."""
    asset_id = str(world.do("create_digital_asset")["asset_id"])
    sent(world, asset_id, PNG)
    return asset_id


@example("show_asset")
def _shown(world: World) -> Ask:
    return Ask(path={"asset_id": ready(world)}, absent=_within())


@example("list_assets")
def _listed(world: World) -> Ask:
    ready(world)
    return Ask(query={"asset_source": "CUSTOMIZATION", "asset_state": "ACTIVED"}, absent=_within("assets."))


@example("update_digital_asset")
def _changed(world: World) -> Ask:
    body = _body("UpdateDigitalAssetRequestBody", asset_state="ACTIVED")
    return Ask(path={"asset_id": ready(world)}, body=body, absent=_within())


@example("delete_asset")
def _deleted(world: World) -> Ask:
    return Ask(path={"asset_id": ready(world)}, query={"mode": "force"})


@example("restore_asset")
def _restored(world: World) -> Ask:
    asset_id = ready(world)
    world.do("delete_asset", Ask(path={"asset_id": asset_id}))
    return Ask(path={"asset_id": asset_id})


@example("list_asset_summary")
def _summaries(world: World) -> Ask:
    absent = {"asset_list.block_reason_code": _REASONS["block_reason_code"]}
    return Ask(body={"asset_ids": [ready(world)]}, absent=absent)


@example("batch_execute_asset_action")
def _batch(world: World) -> Ask:
    body = {"action": "UNACTIVE", "asset_ids": ["nobody"], "params": "x"}
    return Ask(body=body)


@example("show_asset_replication_info")
def _information(world: World) -> Ask:
    return Ask(path={"asset_id": ready(world)})


@example("create_asset_by_replication_info")
def _replicated(world: World) -> Ask:
    return Ask(body=world.do("show_asset_replication_info"))


@example("transfer_asset")
def _offered(world: World) -> Ask:
    body = fill(
        "TransferAssetReq",
        asset_ids=[ready(world)],
        dest_project_id=_third(world),
        transfer_type="TRANSFER_OUT",
        auto_accept=False,
    )
    return Ask(body=body)


def _failed(world: World) -> str:
    """A transfer that could not be: its asset was deleted in between."""
    body = {**world.ask("transfer_asset").body, "is_need_billing": False}
    job_id = str(world.do("transfer_asset", Ask(body=body))["job_id"])
    world.do("delete_asset", Ask(path={"asset_id": body["asset_ids"][0]}))
    with pytest.raises(ApiError, match="FAIL"):
        world.run(asset_transfers.act(world.context.assets, _third(world), job_id, "accept", ""))
    return job_id


def _unseen(where: str) -> dict[str, str]:
    names = ("asset_state", "block_reason_code", "cover_url", "thumbnail_url")
    return {f"{where}transfer_assets.{name}": "what is not yet accepted stays unseen" for name in names}


@example("show_transfer_asset_job")
def _job(world: World) -> Ask:
    return Ask(path={"job_id": _failed(world)}, absent=_unseen(""))


@example("list_transfer_asset_jobs")
def _jobs(world: World) -> Ask:
    _failed(world)
    return Ask(query={"role": "SENDER", "state": "FAIL"}, absent=_unseen("jobs."))


@example("execute_transfer_asset_action")
def _cancelled(world: World) -> Ask:
    job_id = str(world.do("transfer_asset")["job_id"])
    return Ask(
        path={"job_id": job_id, "action": "cancel"},
        body={"reason": "why"},
        absent={"accept_respone": "of accepting only"},
    )
