"""The recycle bin, timetables, batches, sharing, versions, and third-party users of assets."""

from __future__ import annotations

import json
from typing import Any

from control_server import Server, jobs
from test_api_assets import kept, make, uploaded
from test_api_pictures import png

from visavis.contract.base import rfc3339
from visavis.contract.roles import Role
from visavis.store import identity

DAY = 86400.0


async def state(server: Server, asset_id: str, project: str = "p1") -> str:
    answer = await server.call("GET", f"/digital-assets/{asset_id}", project=project)
    return str(answer.json()["asset_state"]) if answer.status_code == 200 else str(answer.status_code)


async def batch(server: Server, action: str, ids: list[str], **more: Any) -> dict[str, tuple[str, str]]:
    body = {"action": action, "asset_ids": ids, **more}
    answer = await server.call("POST", "/digital-assets/batch-action", body)
    assert answer.status_code == 200, answer.text
    return {
        one["asset_ids"][0]: (one["ret_status"], one.get("error_info", {}).get("error_msg", ""))
        for one in answer.json()["results"]
    }


async def test_what_is_deleted_can_be_restored_for_a_time(server: Server) -> None:
    asset_id = await uploaded(server, png())
    await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "UNACTIVED"})
    for _ in range(2):
        assert (await server.call("DELETE", f"/digital-assets/{asset_id}")).status_code == 200
    shown = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert (shown["asset_state"], shown["files"][0]["download_url"]) == ("DELETING", "")
    assert len(kept(server)) == 1
    assert (await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "ACTIVED"})).status_code == 409
    assert (await server.call("POST", f"/digital-assets/{asset_id}/restore")).status_code == 200
    assert await state(server, asset_id) == "UNACTIVED", "as it was"
    again = await server.call("POST", f"/digital-assets/{asset_id}/restore")
    assert (again.status_code, "recycle bin" in again.json()["error_msg"]) == (409, True)
    await server.call("DELETE", f"/digital-assets/{asset_id}")
    server.clock.now += 29 * DAY
    assert await state(server, asset_id) == "DELETING"
    server.clock.now += 1 * DAY
    assert await state(server, asset_id) == "404"
    assert kept(server) == [], "and its file with it"
    assert (await server.call("POST", f"/digital-assets/{asset_id}/restore")).status_code == 404


async def test_a_timetable_freezes_and_deletes(server: Server) -> None:
    asset_id = await uploaded(server, png())
    room = await server.room(layer_config=[{"layer_type": "IMAGE", "asset_id": asset_id}])
    now = server.clock.now
    plan = [
        {"operation": "DELETE", "operation_time": rfc3339(now + 20)},
        {"operation": "BLOCK", "operation_time": rfc3339(now + 10)},
    ]
    answer = await server.call("PUT", f"/digital-assets/{asset_id}", {"auto_operation_config": plan})
    assert answer.json()["auto_operation_config"] == plan
    url = answer.json()["files"][0]["download_url"]
    assert (await server.http.get(url)).content == png()
    server.clock.now += 10
    frozen = (await server.call("GET", f"/digital-assets/{asset_id}")).json()
    assert (frozen["asset_state"], "auto_operation_config" in frozen["reason"]) == ("BLOCK", True)
    assert frozen["files"][0]["download_url"] == ""
    assert (await server.http.get(url)).status_code == 409, "nor by a URL that was told before"
    refused = await server.call("POST", jobs(room))
    assert (refused.status_code, "BLOCK" in refused.json()["error_msg"]) == (400, True)
    # Its owner's operators cannot thaw it, an admin can.
    operator = await identity.add_key(server.context.database, "p1", now, Role.OPERATOR)
    admin, server.keys["p1"] = server.keys["p1"], operator
    assert (await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "ACTIVED"})).status_code == 403
    server.keys["p1"] = admin
    assert (await server.call("PUT", f"/digital-assets/{asset_id}", {"asset_state": "ACTIVED"})).status_code == 200
    assert (await server.call("POST", jobs(room))).status_code == 200
    server.clock.now += 10
    assert await state(server, asset_id) == "DELETING"
    assert (await server.call("POST", f"/digital-assets/{asset_id}/restore")).status_code == 200
    assert await state(server, asset_id) == "ACTIVED", "the timetable is done"


async def test_many_at_once(server: Server) -> None:
    one, two, empty = await uploaded(server, png()), await uploaded(server, png()), await make(server)
    results = await batch(server, "UNACTIVE", [one, empty, "nobody", "anny"])
    assert results[one] == ("SUCCESS", "")
    assert "no file yet" in results[empty][1]
    assert "not found" in results["nobody"][1]
    assert "built in" in results["anny"][1]
    assert [await state(server, each) for each in (one, two, empty)] == ["UNACTIVED", "ACTIVED", "CREATING"]
    assert (await batch(server, "ACTIVE", [one]))[one][0] == "SUCCESS"
    room = await server.room(layer_config=[{"layer_type": "IMAGE", "asset_id": two}], room_name="shop")
    results = await batch(server, "DELETE", [one, two])
    assert results[one][0] == "SUCCESS"
    assert "'shop'" in results[two][1]
    assert (await batch(server, "RESTORE", [one]))[one][0] == "SUCCESS"
    await server.call("DELETE", f"/smart-chat-rooms/{room}")
    results = await batch(server, "DELETE_FORCE", [one, two, empty])
    assert {status for status, _ in results.values()} == {"SUCCESS"}
    assert kept(server) == []
    assert await state(server, one) == "404"


async def test_sharing(server: Server) -> None:
    asset_id = await uploaded(server, png())
    await server.project("p2")
    await server.project("p3")
    layer = {"layer_config": [{"layer_type": "IMAGE", "asset_id": asset_id}]}
    assert "allowed_project_ids" in (await batch(server, "SHARE", [asset_id], params="no JSON"))[asset_id][1]
    until = rfc3339(server.clock.now + 100)
    params = json.dumps({"allowed_project_ids": ["p2"], "expire_time": until})
    assert (await batch(server, "SHARE", [asset_id], params=params))[asset_id] == ("SUCCESS", "")
    mine = (await server.call("GET", "/digital-assets?role=SHARER")).json()["assets"]
    theirs = (await server.call("GET", "/digital-assets?role=SHAREE&asset_source=CUSTOMIZATION", project="p2")).json()
    assert [one["asset_id"] for one in mine] == [one["asset_id"] for one in theirs["assets"]] == [asset_id]
    assert theirs["assets"][0]["project_id"] == "p1"
    assert await state(server, asset_id, "p2") == "ACTIVED"
    assert await state(server, asset_id, "p3") == "404"
    room = await server.room("p2", **layer)
    await server.start(room, "p2")
    for call, path in (("DELETE", ""), ("PUT", ""), ("GET", "/replication-info"), ("POST", "/restore")):
        body = {} if call == "PUT" else None
        refused = await server.call(call, f"/digital-assets/{asset_id}{path}", body, project="p2")
        assert refused.status_code == 404, "to use is not to own"
    server.clock.now += 100
    assert await state(server, asset_id, "p2") == "404"
    assert (await server.call("POST", jobs(room), project="p2")).status_code == 400
    # Once more, until it is taken back.
    config = {"shared_config": {"shared_type": "SHARED", "allowed_project_ids": ["p3"]}}
    assert (await server.call("PUT", f"/digital-assets/{asset_id}", config)).status_code == 200
    assert await state(server, asset_id, "p3") == "ACTIVED"
    assert (await batch(server, "UNSHARE", [asset_id]))[asset_id][0] == "SUCCESS"
    assert await state(server, asset_id, "p3") == "404"
    for bad in ({"shared_type": "PUBLIC"}, {"shared_type": "SHARED"}):
        assert (await server.call("PUT", f"/digital-assets/{asset_id}", {"shared_config": bad})).status_code == 400


async def test_versions(server: Server) -> None:
    asset_id = await uploaded(server, png())
    path = f"/digital-assets/{asset_id}"
    tag = (await server.call("GET", path)).headers["etag"]
    first = await server.call("PUT", path, {"asset_name": "a"}, headers={"If-Match": tag})
    assert first.status_code == 200
    late = await server.call("PUT", path, {"asset_name": "b"}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert (await server.call("DELETE", path, headers={"If-Match": tag})).status_code == 412
    shown = await server.call("GET", path)
    assert (shown.json()["asset_name"], shown.headers["etag"]) == ("a", first.headers["etag"])
    assert (await server.call("DELETE", path, headers={"If-Match": first.headers["etag"]})).status_code == 200


async def test_third_party_users_are_separated(server: Server) -> None:
    ann, bob = {"X-App-UserId": "ann"}, {"X-App-UserId": "bob"}
    body = {"asset_name": "x", "asset_type": "IMAGE"}
    asset_id = (await server.call("POST", "/digital-assets", body, headers=ann)).json()["asset_id"]
    path = f"/digital-assets/{asset_id}"
    assert (await server.call("GET", path, headers=ann)).json()["app_user_id"] == "ann"
    assert (await server.call("GET", path)).status_code == 200, "the project's backend sees all"
    for method in ("GET", "PUT", "DELETE"):
        answer = await server.call(method, path, {} if method == "PUT" else None, headers=bob)
        assert answer.status_code == 404
    listing = "/digital-assets?asset_source=CUSTOMIZATION"
    counts = [(await server.call("GET", listing, headers=who)).json()["count"] for who in (ann, bob, {})]
    assert counts == [1, 0, 1]
    assert (await server.call("GET", f"{listing}&app_user_id=bob")).json()["count"] == 0
    assert (await server.call("GET", f"{listing}&app_user_id=ann")).json()["count"] == 1
