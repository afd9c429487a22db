"""Assets between projects: transfers that both sides agree to, and copies by replication information."""

from __future__ import annotations

from typing import Any

import pytest
from control_server import Server
from test_api_assets import announce, kept, uploaded
from test_api_pictures import png

from visavis.contract.roles import Role
from visavis.store import audit, identity, tokens

TRANSFERS = "/digital-assets-action/transfers"


@pytest.fixture
async def two(server: Server) -> Server:
    for project in ("p2", "p3"):
        await server.project(project)
    return server


async def offer(server: Server, ids: list[str], project: str = "p1", to: str = "p2", **more: Any) -> Any:
    body = {"asset_ids": ids, "dest_project_id": to, **more}
    return await server.call("POST", TRANSFERS, body, project=project)


async def offered(server: Server, ids: list[str], **more: Any) -> str:
    answer = await offer(server, ids, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


async def act(server: Server, job: str, action: str, project: str, **body: Any) -> Any:
    return await server.call("POST", f"{TRANSFERS}/{job}/{action}", body, project=project)


async def job_of(server: Server, job: str, project: str = "p1") -> Any:
    return (await server.call("GET", f"{TRANSFERS}/{job}", project=project)).json()


async def seen(server: Server, asset_id: str) -> dict[str, str]:
    """Who sees the asset, in which state."""
    states = {}
    for project in ("p1", "p2", "p3"):
        answer = await server.call("GET", f"/digital-assets/{asset_id}", project=project)
        if answer.status_code == 200:
            states[project] = answer.json()["asset_state"]
    return states


async def listed(server: Server, project: str, query: str = "") -> list[str]:
    answer = (await server.call("GET", f"{TRANSFERS}?{query}", project=project)).json()
    assert answer["count"] == len(answer["jobs"])
    return [one["job_id"] for one in answer["jobs"]]


# --- transfers --------------------------------------------------------------------------------------------------------


async def test_an_asset_changes_hands_when_both_agree(two: Server) -> None:
    asset_id = await uploaded(two, png())
    before = (await two.call("GET", f"/digital-assets/{asset_id}")).json()["files"][0]
    job = await offered(two, [asset_id], memo="yours", auto_active=True)
    assert await seen(two, asset_id) == {"p1": "ACTIVED"}, "an offer shows nothing"
    told = await job_of(two, job, "p2")
    assert (told["state"], told["memo"], told["src_project_id"]) == ("PROCESSING", "yours", "p1")
    assert told["transfer_assets"] == [{"asset_id": asset_id, "asset_name": "logo", "asset_type": "IMAGE"}]
    assert (await two.call("GET", f"{TRANSFERS}/{job}", project="p3")).status_code == 404
    for action, project in (("cancel", "p2"), ("accept", "p1"), ("reject", "p1")):
        assert (await act(two, job, action, project)).status_code == 403, "it is the other side's turn"
    assert (await act(two, job, "accept", "p3")).status_code == 404
    pending = (await announce(two, asset_id, png(), asset_file_category="TEMPORARY")).json()["upload_url"]
    done = await act(two, job, "accept", "p2")
    assert (await two.http.put(pending, content=png())).status_code == 401, "nor can they send anything"
    assert done.json() == {"accept_respone": {"is_need_billing": False, "required_resources": []}}
    assert await seen(two, asset_id) == {"p2": "ACTIVED"}
    file = (await two.call("GET", f"/digital-assets/{asset_id}", project="p2")).json()["files"][0]
    assert (await two.http.get(file["download_url"])).content == png()
    assert (await two.http.get(before["download_url"])).status_code == 401, "the old owner's URLs are void"
    assert (await job_of(two, job))["state"] == "ACCEPT"
    assert (await act(two, job, "accept", "p2")).status_code == 409
    assert [await listed(two, "p1", f"role={role}") for role in ("SENDER", "RECEIVER", "ALL")] == [[job], [], [job]]
    assert await listed(two, "p2", "role=RECEIVER&state=ACCEPT,FAIL") == [job]
    assert await listed(two, "p2", "state=PROCESSING") == []
    assert await listed(two, "p3") == []
    # Both sides' acts are on record.
    for project, operation in (("p1", "transfer_asset"), ("p2", "execute_transfer_asset_action")):
        entries = await audit.listing(two.context.database, audit.Filter(project_id=project), 100)
        assert (operation, job) in [(one.entry.operation, one.entry.target) for one in entries]


async def test_it_goes_back_only_if_its_first_owner_agrees(two: Server) -> None:
    asset_id, other = await uploaded(two, png()), await uploaded(two, png())
    job = await offered(two, [asset_id])
    await act(two, job, "accept", "p2")
    assert await seen(two, asset_id) == {"p2": "UNACTIVED"}
    back: dict[str, Any] = {"project": "p2", "to": "p1", "transfer_type": "TRANSFER_BACK"}
    for wrong in ({}, {"transfer_job_id": "nothing"}, {"transfer_job_id": job, "to": "p3"}):
        assert (await offer(two, [asset_id], **{**back, **wrong})).status_code == 400
    assert (await offer(two, [other], **back, transfer_job_id=job)).status_code == 400
    returned = await offered(two, [asset_id], **back, transfer_job_id=job)
    assert await seen(two, asset_id) == {"p2": "UNACTIVED"}
    assert (await act(two, returned, "accept", "p1")).status_code == 200
    assert await seen(two, asset_id) == {"p1": "UNACTIVED"}
    assert await listed(two, "p1") == [job], "TRANSFER_OUT is the published default"
    assert await listed(two, "p1", "transfer_type=TRANSFER_BACK") == [returned]


async def test_no_thanks_and_never_mind(two: Server) -> None:
    asset_id = await uploaded(two, png())
    refused = await offered(two, [asset_id])
    assert (await offer(two, [asset_id], to="p3")).status_code == 400, "it is offered already"
    assert (await act(two, refused, "reject", "p2", reason="too red")).status_code == 200
    told = await job_of(two, refused)
    assert (told["state"], told["reason"], told["finish_time"] != "") == ("REJECT", "too red", True)
    withdrawn = await offered(two, [asset_id])
    assert (await act(two, withdrawn, "cancel", "p1")).status_code == 200
    assert (await act(two, withdrawn, "accept", "p2")).status_code == 409
    late = await offered(two, [asset_id])
    two.clock.now += 7 * 86400
    told = await job_of(two, late, "p2")
    assert (told["state"], "in time" in told["error_info"]["error_msg"]) == ("FAIL", True)
    assert told["finish_time"] == told["expire_time"]
    assert (await act(two, late, "accept", "p2")).status_code == 409
    assert await seen(two, asset_id) == {"p1": "ACTIVED"}
    assert (await act(two, late, "steal", "p2")).status_code == 400


async def test_two_steps_where_the_cloud_would_bill(two: Server) -> None:
    asset_id = await uploaded(two, png())
    job = await offered(two, [asset_id], is_need_billing=True)
    assert (await act(two, job, "accept_confirm", "p2")).status_code == 409
    first = await act(two, job, "accept", "p2")
    assert first.json()["accept_respone"] == {"is_need_billing": True, "required_resources": []}
    assert await seen(two, asset_id) == {"p1": "ACTIVED"}
    assert (await act(two, job, "accept_confirm", "p2")).status_code == 200
    assert await seen(two, asset_id) == {"p2": "UNACTIVED"}


async def test_what_cannot_be_moved(two: Server) -> None:
    one, other = await uploaded(two, png()), await uploaded(two, png())
    room = await two.room(layer_config=[{"layer_type": "IMAGE", "asset_id": one}], room_name="lobby")
    for ids, to, why in (
        ([one], "p2", "'lobby'"),
        (["anny"], "p2", "no asset"),
        ([other], "p1", "there already"),
        ([other], "nowhere", "no project"),
    ):
        answer = await offer(two, ids, to=to)
        assert (answer.status_code, why in answer.json()["error_msg"]) == (400, True), answer.text
    await two.call("DELETE", f"/smart-chat-rooms/{room}")
    job = await offered(two, [one, other])
    # In between, one of them is shown by a room: all or none.
    await two.room(layer_config=[{"layer_type": "IMAGE", "asset_id": one}], room_name="hall")
    failed = await act(two, job, "accept", "p2")
    assert (failed.status_code, "'hall'" in failed.json()["error_msg"]) == (409, True)
    assert (await job_of(two, job))["state"] == "FAIL"
    assert await seen(two, other) == {"p1": "ACTIVED"}


async def test_the_receiver_needs_room(make_server: Any) -> None:
    server: Server = await make_server(asset_bytes=len(png()) + 10)
    await server.project("p2")
    asset_id = await uploaded(server, png())
    body = {"asset_name": "full", "asset_type": "COMMON_FILE"}
    theirs = (await server.call("POST", "/digital-assets", body, project="p2")).json()["asset_id"]
    announced = {"file_name": "a", "file_size": 20, "asset_id": theirs, "asset_file_category": "MAIN"}
    assert (await server.call("POST", "/files", announced, project="p2")).status_code == 200
    job = await offered(server, [asset_id])
    full = await act(server, job, "accept", "p2")
    assert (full.status_code, "are left" in full.json()["error_msg"]) == (409, True)
    await server.call("DELETE", f"/digital-assets/{theirs}?mode=force", project="p2")
    assert (await act(server, job, "accept", "p2")).status_code == 200, "the offer still stands"


async def test_auto_accept_is_for_who_may_accept_over_there(two: Server) -> None:
    asset_id = await uploaded(two, png())
    assert (await offer(two, [asset_id], auto_accept=True)).status_code == 403, "a key that is nobody's"
    database = two.context.database
    ann = await identity.put_user(database, "p1", "ann", "hash", 1.0, Role.OPERATOR)
    await identity.put_user(database, "p2", "ann", "hash", 1.0, Role.VIEWER)
    token = await tokens.issue(database, ann, "p1", two.clock.now, 3600)
    body = {"asset_ids": [asset_id], "dest_project_id": "p2", "auto_accept": True, "auto_active": True}
    headers = {"X-Auth-Token": token}
    refused = await two.http.post(f"/v1/p1{TRANSFERS}", json=body, headers=headers)
    assert refused.status_code == 403, "a viewer over there"
    await identity.set_role(database, "p2", "ann", Role.OPERATOR)
    done = await two.http.post(f"/v1/p1{TRANSFERS}", json=body, headers=headers)
    assert done.status_code == 200, done.text
    assert await seen(two, asset_id) == {"p2": "ACTIVED"}


# --- copies -----------------------------------------------------------------------------------------------------------


async def information(server: Server, asset_id: str) -> dict[str, Any]:
    answer = await server.call("GET", f"/digital-assets/{asset_id}/replication-info")
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def copy(server: Server, told: dict[str, Any], project: str = "p2") -> Any:
    return await server.call("POST", "/digital-assets-by-replication-info", told, project=project)


async def own(server: Server, project: str) -> list[dict[str, Any]]:
    answer = await server.call("GET", "/digital-assets?asset_source=CUSTOMIZATION", project=project)
    result: list[dict[str, Any]] = answer.json()["assets"]
    return result


async def test_a_copy_has_a_life_of_its_own(two: Server) -> None:
    asset_id = await uploaded(two, png())
    await two.call("PUT", f"/digital-assets/{asset_id}", {"tags": ["LOGO"]})
    told = await information(two, asset_id)
    assert asset_id not in told["asset_info"]
    assert (await copy(two, told)).json() == {}
    (mine,) = await own(two, "p2")
    assert (mine["asset_name"], mine["tags"], mine["asset_state"]) == ("logo", ["LOGO"], "ACTIVED")
    assert mine["asset_id"] != asset_id
    again = await copy(two, told, "p3")
    assert (again.status_code, "one copy" in again.json()["error_msg"]) == (409, True)
    assert len(kept(two)) == 2
    folder = two.settings.data / "assets"
    assert len({(folder / name).stat().st_ino for name in kept(two)}) == 1, "stored once"
    await two.call("DELETE", f"/digital-assets/{asset_id}?mode=force")
    assert (await two.http.get(mine["files"][0]["download_url"])).content == png()
    room = await two.room("p2", layer_config=[{"layer_type": "IMAGE", "asset_id": mine["asset_id"]}])
    await two.start(room, "p2")


async def test_information_is_only_what_was_told(two: Server) -> None:
    asset_id, other = await uploaded(two, png()), await uploaded(two, png())
    told, different = await information(two, asset_id), await information(two, other)
    beside = told["encryption_info"]
    wrong = [
        {**told, "asset_info": told["asset_info"][:-4] + "AAAA"},
        {**told, "asset_info": different["asset_info"]},
        {**told, "asset_id": other},
        {**told, "expire_time": told["expire_time"] + 1},
        {**told, "encryption_info": {**beside, "iv": different["encryption_info"]["iv"]}},
        {**told, "encryption_info": {**beside, "algorithm": "NONE"}},
        {"asset_id": asset_id, "asset_info": "x", "encryption_info": {}},
    ]
    for bad in wrong:
        assert (await copy(two, bad)).status_code == 400
    assert await own(two, "p2") == []
    two.clock.now += 3600
    late = await copy(two, told)
    assert (late.status_code, "expired" in late.json()["error_msg"]) == (409, True)


async def test_who_only_looks_gives_nothing_away(two: Server) -> None:
    asset_id = await uploaded(two, png())
    told = await information(two, asset_id)
    viewer = await identity.add_key(two.context.database, "p1", 1.0, Role.VIEWER)
    admin, two.keys["p1"] = two.keys["p1"], viewer
    assert (await two.call("GET", f"/digital-assets/{asset_id}/replication-info")).status_code == 403
    two.keys["p1"] = admin
    await two.call("DELETE", f"/digital-assets/{asset_id}")
    assert (await two.call("GET", f"/digital-assets/{asset_id}/replication-info")).status_code == 409
    assert (await copy(two, told)).status_code == 404, "what lies in the bin is not copied"
    assert len(kept(two)) == 1
