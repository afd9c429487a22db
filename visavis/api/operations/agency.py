"""Agencies: what lets the cloud act for a project in its other services. Here no service needs leave, so that they are only kept."""

from __future__ import annotations

from visavis.api.auditing import note
from visavis.api.identity import require
from visavis.api.skeleton import Call, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import records
from visavis.store.records import Filter, Record

_KIND = "agency"


@handles("create_agency_with_role_type")
async def create(call: Call) -> dict[str, str]:
    """The agency of that service, a new one if there is none."""
    require(call.caller, Role.ADMIN)
    role_type = call.path["role_type"]
    async with records.transaction(call.context.database) as steps:
        record = await steps.get(call.project_id, _KIND, role_type)
        if record is None:
            new = Record(
                id=role_type,
                project_id=call.project_id,
                kind=_KIND,
                document={"agency_id": records.new_id()},
                created_at=call.now,
            )
            record = await steps.create(new)
    agency_id = str(record.document["agency_id"])
    note(call.request, target=agency_id)
    return {"agency_id": agency_id}


@handles("show_agency")
async def show(call: Call) -> dict[str, str]:
    """The agency of that service; of no service in particular: the oldest that there is."""
    require(call.caller, Role.ADMIN)
    wanted = Filter(ids=[call.query["role_type"]] if "role_type" in call.query else None)
    _, there = await records.listing(call.context.database, call.project_id, _KIND, wanted, limit=1, order="asc")
    if not there:
        raise ApiError(ErrorCode.NOT_FOUND, "the project has no such agency")
    return {"agency_id": str(there[0].document["agency_id"])}


@handles("delete_agency_with_role_type")
async def delete(call: Call) -> None:
    """Withdraw it. What is not there is no error."""
    require(call.caller, Role.ADMIN)
    await records.remove_all(call.context.database, call.project_id, _KIND, [call.path["role_type"]])
