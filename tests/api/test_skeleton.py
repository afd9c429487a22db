"""What all operations have in common: routing, the door, answers, versions, third-party users, references."""

from __future__ import annotations

from typing import Any

import pytest
from control_server import Server
from starlette.routing import Match

from visavis.api import operations
from visavis.api.skeleton import Call, ContractRoutes, Reply, handled, handles, make_routes
from visavis.contract.checking import WrongAnswerError
from visavis.contract.loading import contract
from visavis.store import identity, records
from visavis.store.records import Record

operations.load()

ROLE: dict[str, Any] = {
    "name": "Guide",
    "description": "",
    "llm_source": "DEEP_SEEK",
    "role_business_list": [{"language": "CN"}],
}
ROLES = "/wise-brain-manager/role"
QUESTIONS = "/digital-human-chat/hot-question"


async def role(server: Server, headers: dict[str, str] | None = None, **more: Any) -> str:
    answer = await server.call("POST", ROLES, {**ROLE, **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["role_id"])


# --- routing ------------------------------------------------------------------------------------------


async def _nothing(call: Call) -> None: ...


def match(routes: ContractRoutes, method: str, path: str) -> tuple[Match, Any, Any]:
    found, scope = routes.matches({"type": "http", "method": method, "path": path})
    return found, getattr(scope.get("route"), "name", None), scope.get("path_params")


def test_every_operation_s_path_finds_that_operation() -> None:
    everything = contract().operations
    routes = ContractRoutes(contract(), dict.fromkeys(everything, _nothing))
    for name, operation in everything.items():
        values = {one: f"<{one}>" for one in operation.path_names}
        path = operation.path.format(**values)
        assert match(routes, operation.verb, path) == (Match.FULL, name, values)


def test_paths_that_are_no_operation_s() -> None:
    routes = ContractRoutes(contract(), {"show_role": _nothing, "delete_role": _nothing, "list_role": _nothing})
    for path in ("/", "/v1", "/v1/p1/wise-brain-manager/role/", "/v1/p1/wise-brain-manager/role/a/b", "//p1/role"):
        assert match(routes, "GET", path)[0] is Match.NONE
    # "delete" is an operation's own word with POST, and an id with GET.
    shown = match(routes, "POST", "/v1/p1/wise-brain-manager/role/delete")
    assert shown == (Match.FULL, "delete_role", {"project_id": "p1"})
    assert match(routes, "PATCH", "/v1/p1/wise-brain-manager/role")[0] is Match.PARTIAL


def test_handlers_are_of_operations_that_exist_and_one_each() -> None:
    with pytest.raises(ValueError, match="show_nothing"):
        ContractRoutes(contract(), {"show_nothing": _nothing})
    assert "create_role" in handled()
    with pytest.raises(ValueError, match="create_role"):
        handles("create_role")(_nothing)
    make_routes(contract())


async def test_unknown_apis_and_wrong_verbs(server: Server) -> None:
    unknown = await server.call("GET", "/wise-brain-manager/nothing")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "MSS.00010003")
    wrong = await server.call("PATCH", ROLES)
    assert (wrong.status_code, wrong.json()["error_code"]) == (405, "MSS.00010004")
    assert wrong.headers["Allow"] == "GET, POST"


async def test_a_body_that_is_not_json_by_its_type(server: Server) -> None:
    answer = await server.call("POST", ROLES, ROLE, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error_code"]) == (415, "MSS.00000002")


# --- the door -----------------------------------------------------------------------------------------


async def test_a_viewer_reads_and_does_not_write(server: Server) -> None:
    role_id = await role(server)
    server.keys["p1"] = await identity.add_key(server.context.database, "p1", server.clock(), role=identity.Role.VIEWER)
    assert (await server.call("GET", ROLES)).json()["count"] == 1
    for method, path, body in (
        ("POST", ROLES, ROLE),
        ("PUT", f"{ROLES}/{role_id}", {}),
        ("POST", f"{ROLES}/delete", [role_id]),
    ):
        answer = await server.call(method, path, body)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "MSS.47010063")
    assert (await server.call("GET", ROLES)).json()["count"] == 1


async def test_an_unknown_caller_learns_nothing_of_the_validation(server: Server) -> None:
    answer = await server.http.post(f"/v1/p1{ROLES}", json={"name": 5})
    assert answer.status_code == 401
    assert "name" not in answer.json()["error_msg"]


# --- answers ------------------------------------------------------------------------------------------


async def test_a_wrong_answer_of_ours_does_not_leave_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    role_id = await role(server)

    async def wrong(call: Call) -> Reply:
        return Reply({"role_id": call.path["role_id"], "colour": "red"})

    routes = next(route for route in server.app.router.routes if isinstance(route, ContractRoutes))
    _, scope = routes.matches({"type": "http", "method": "GET", "path": f"/v1/p1{ROLES}/{role_id}"})
    monkeypatch.setattr(scope["endpoint"], "_handler", wrong)
    answer = await server.call("GET", f"{ROLES}/{role_id}")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "MSS.00000001")
    assert issubclass(WrongAnswerError, AssertionError)


async def test_openapi_tells_what_is_served(server: Server) -> None:
    described = (await server.http.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    told = {one["operationId"] for path in described["paths"].values() for one in path.values()}
    assert told == handled()
    create = described["paths"]["/v1/{project_id}/wise-brain-manager/role"]["post"]
    assert create["requestBody"]["required"] is True
    schema = described["components"]["schemas"]["CreateRoleReq"]
    assert schema["required"] == ["description", "llm_source", "name", "role_business_list"]
    assert schema["properties"]["name"] == {"type": "string", "minLength": 1, "maxLength": 256}
    references = str(described).split("#/components/schemas/")[1:]
    assert {one.split("'")[0] for one in references} <= set(described["components"]["schemas"])


# --- versions -----------------------------------------------------------------------------------------


async def test_versions_guard_against_lost_updates(server: Server) -> None:
    path = f"{ROLES}/{await role(server)}"
    assert (await server.call("GET", path)).headers["ETag"] == '"1"'
    first = await server.call("PUT", path, {"name": "A"}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    for tag in ('"1"', "nonsense"):
        late = await server.call("PUT", path, {"name": "B"}, headers={"If-Match": tag})
        assert (late.status_code, late.json()["error_code"]) == (412, "MSS.00000003")
    assert (await server.call("GET", path)).json()["name"] == "A"
    assert (await server.call("PUT", path, {"name": "C"}, headers={"If-Match": "*"})).status_code == 200


# --- third-party users --------------------------------------------------------------------------------


async def test_third_party_users_do_not_see_each_other_s_things(server: Server) -> None:
    ann, bob = {"X-App-UserId": "ann"}, {"X-App-UserId": "bob"}
    mine = await role(server, headers=ann)
    await role(server)
    assert (await server.call("GET", ROLES)).json()["count"] == 2
    assert [one["role_id"] for one in (await server.call("GET", ROLES, headers=ann)).json()["data"]] == [mine]
    assert (await server.call("GET", ROLES, headers=bob)).json()["count"] == 0
    path = f"{ROLES}/{mine}"
    assert (await server.call("GET", path, headers=bob)).status_code == 404
    assert (await server.call("PUT", path, {"name": "B"}, headers=bob)).status_code == 404
    assert (await server.call("POST", f"{ROLES}/delete", [mine], headers=bob)).status_code == 200
    assert (await server.call("GET", path, headers=ann)).json()["name"] == "Guide"


# --- roles and hot questions --------------------------------------------------------------------------


async def test_a_role_s_languages_keep_their_ids(server: Server) -> None:
    path = f"{ROLES}/{await role(server)}"
    before = (await server.call("GET", path)).json()
    server.clock.now += 60
    change = {"role_business_list": [{"language": "EN"}, {"language": "CN", "prompt": "briefly"}]}
    assert (await server.call("PUT", path, change)).json() == {}
    after = (await server.call("GET", path)).json()
    old, (_, new) = before["role_business_list"][0], after["role_business_list"]
    assert new == {**old, "prompt": "briefly", "update_time": "2027-01-15T08:01:00Z"}
    assert (after["name"], after["create_time"]) == (before["name"], before["create_time"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"llm_source": "LLM_CONFIG"}, "llm_config_id"),
        ({"llm_config_id": "unknown"}, "llm_config_id"),
        ({"mcp_server_id_list": ["unknown"]}, "mcp_server_id_list"),
        ({"instruction_library_id": "unknown"}, "instruction_library_id"),
        ({"role_business_list": [{"language": "CN"}, {"language": "CN"}]}, "role_business_list"),
    ],
)
async def test_a_role_names_what_is_there(server: Server, change: dict[str, Any], told: str) -> None:
    role_id = await role(server)
    for answer in (
        await server.call("POST", ROLES, {**ROLE, **change}),
        await server.call("PUT", f"{ROLES}/{role_id}", change),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")
        assert told in answer.json()["error_msg"]


async def test_a_role_that_a_robot_plays_stays(server: Server) -> None:
    free, played = await role(server), await role(server)
    robot = await server.robot(wise_brain_config={"role_id": played})
    refused = await server.call("POST", f"{ROLES}/delete", [free, played])
    assert (refused.status_code, refused.json()["error_msg"]) == (409, "It is in use: robot r")
    assert (await server.call("GET", ROLES)).json()["count"] == 2  # all or none
    await server.call("POST", "/digital-human-chat/robot/delete", [robot])
    for _ in range(2):  # a deletion may be repeated
        assert (await server.call("POST", f"{ROLES}/delete", [free, played, "unknown"])).json() == {}
    assert (await server.call("GET", ROLES)).json()["count"] == 0


async def test_a_project_has_room_for_so_many(server: Server) -> None:
    await records.create(
        server.context.database,
        *(Record(records.new_id(), "p1", "role", {**ROLE, "name": str(i)}, name=str(i)) for i in range(1000)),
    )
    answer = await server.call("POST", ROLES, ROLE)
    assert (answer.status_code, answer.json()["error_msg"]) == (
        409,
        "The project has too many of these: a project may have 1000",
    )


async def test_hot_questions_belong_to_a_robot(server: Server) -> None:
    first, second = await server.robot(), await server.robot()
    for robot, question, language in ((first, "A?", "CN"), (first, "B?", "EN"), (second, "C?", "CN")):
        server.clock.now += 1
        body = {"robot_id": robot, "hot_question": question, "language": language}
        assert (await server.call("POST", QUESTIONS, body)).status_code == 200

    async def listed(query: str) -> list[str]:
        answer = await server.call("GET", f"{QUESTIONS}?{query}")
        return [one["hot_question"] for one in answer.json()["data"]]

    assert await listed(f"robot_id={first}") == ["B?", "A?"]
    assert await listed(f"robot_id={first}&sort_dir=asc") == ["A?", "B?"]
    assert await listed(f"robot_id={first}&language=EN") == ["B?"]
    assert await listed(f"robot_id={first}&limit=1&offset=1") == ["A?"]
    unknown = await server.call("GET", f"{QUESTIONS}?robot_id=unknown")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "MSS.47010033")
    refused = await server.call("POST", QUESTIONS, {"robot_id": "unknown", "hot_question": "?"})
    assert (refused.status_code, refused.json()["error_code"]) == (404, "MSS.47010033")
