"""What all resources have in common: pages, users of third parties, versions, deletes, and the limits of every request."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import contract_examples  # noqa: F401 - registers the examples
import httpx
import pytest
from contract_world import CRUDS, OTHER, PROJECT, Ask, Crud, World, running
from control_server import sign_request

from visavis.api import operations
from visavis.api.middleware import MAX_BODY_BYTES
from visavis.api.skeleton import handled
from visavis.contract.loading import contract

operations.load()
SERVED = sorted(handled())
LISTED = sorted(name for name, crud in CRUDS.items() if crud.list)
LISTS = [
    name
    for name in SERVED
    if {"offset", "limit"} <= contract().operations[name].query.keys() and contract().operations[name].verb == "GET"
]
DELETES = sorted(name for name, crud in CRUDS.items() if crud.delete)
UPDATES = sorted(name for name, crud in CRUDS.items() if crud.update)


@pytest.fixture(scope="module")
def world(database_kind: str, tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> Iterator[World]:
    url = postgres.fresh() if database_kind == "postgresql" else ""
    with running(tmp_path_factory.mktemp("resources"), url) as opened:
        yield opened


def rows(name: str, answer: Any) -> list[Any]:
    """The list in a list's answer."""
    (key,) = (key for key, one in contract().shapes[contract().operations[name].answer].fields.items() if one.item)
    listed: list[Any] = answer[key]
    return listed


def of_user(ask: Ask, user: str) -> Ask:
    return replace(ask, headers={**ask.headers, "X-App-UserId": user})


def make(world: World, crud: Crud, ask: Ask) -> str:
    return str(world.do(crud.create, ask)[crud.id_field])


def listing(crud: Crud, ask: Ask) -> Ask:
    return Ask(query={name: ask.body[name] for name in crud.list_query})


def updating(world: World, crud: Crud, one: str) -> Ask:
    """A valid update of that one: the example's body."""
    return replace(world.kept(crud.update), path={crud.id_field: one})


def deleting(crud: Crud, one: str) -> Ask:
    by_body = contract().operations[crud.delete].body is not None
    return Ask(body=[one]) if by_body else Ask(path={crud.id_field: one})


# --- pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_pages_make_up_the_list(world: World, name: str) -> None:
    """Whatever the example lists, and two more of it where it can be made again."""
    ask = world.ask(name)
    if crud := next((crud for crud in CRUDS.values() if crud.list == name and not crud.list_query), None):
        for _ in range(2):
            make(world, crud, crud.made(world))
    limits = contract().operations[name].query["limit"]

    def page(offset: int, limit: int) -> Any:
        return world.do(name, replace(ask, query={**ask.query, "offset": offset, "limit": limit}))

    everything = page(0, int(limits.max or 100))
    listed = rows(name, everything)
    assert listed
    shape = contract().shapes[contract().operations[name].answer].fields
    for offset in (0, 1, len(listed) - 1, len(listed), len(listed) + 7):
        part = page(offset, 1)
        assert _named(rows(name, part)) == _named(listed[offset : offset + 1]), f"offset {offset}"
        for key, wanted in (("count", everything.get("count")), ("offset", offset), ("limit", 1)):
            if key in shape:
                assert part[key] == wanted, f"{key} at offset {offset}"


def _named(things: list[Any]) -> list[Any]:
    """What does not change between two calls: ids and names, or texts themselves."""
    return [
        {key: one[key] for key in one if key.endswith(("_id", "name"))} if isinstance(one, dict) else one
        for one in things
    ]


@pytest.mark.parametrize("create", LISTED)
def test_lists_are_newest_first_or_turned_around(world: World, create: str) -> None:
    crud = CRUDS[create]
    ask = crud.made(world)
    made = [make(world, crud, ask if crud.list_query else crud.made(world)) for _ in range(3)]
    # The list's parameters lead to the same parent for all of them, where there is one.
    query = {**listing(crud, ask).query, "limit": 100}
    told = [one[crud.id_field] for one in rows(crud.list, world.do(crud.list, Ask(query=query)))]
    ours = [one for one in told if one in made]
    assert len(told) == len(set(told))
    assert ours == made[::-1]
    if "sort_dir" in contract().operations[crud.list].query:
        turned = world.do(crud.list, Ask(query={**query, "sort_dir": "asc"}))
        assert [one[crud.id_field] for one in rows(crud.list, turned)] == told[::-1]


# --- users of third parties -------------------------------------------------------------------------------


@pytest.mark.parametrize("create", LISTED)
def test_third_party_users_see_only_their_own(world: World, create: str) -> None:
    crud = CRUDS[create]
    with world.used_by("ann"):  # what it hangs on, too
        ask = crud.made(world)
        ann = make(world, crud, ask)
    query = {**listing(crud, ask).query, "limit": 100}

    def seen(user: str = "") -> set[str]:
        asked = Ask(query=query)
        answer = world.call(crud.list, of_user(asked, user) if user else asked)
        if answer.status_code == 404:  # the parent that is asked for is not there either
            return set()
        assert answer.is_success, answer.text
        answer = answer.json()
        return {one[crud.id_field] for one in rows(crud.list, answer)}

    assert ann in seen()
    assert ann in seen("ann")
    assert ann not in seen("bob")
    if crud.show:
        path = Ask(path={crud.id_field: ann})
        assert world.call(crud.show, of_user(path, "bob")).status_code == 404
        assert world.call(crud.show, of_user(path, "ann")).is_success
    if crud.update:
        changed = world.call(crud.update, of_user(updating(world, crud, ann), "bob"))
        assert changed.status_code == 404, changed.text
    if crud.delete:
        answer = world.call(crud.delete, of_user(deleting(crud, ann), "bob"))
        assert answer.is_success or answer.status_code == 404
        assert ann in seen(), "somebody else deleted it"
        assert world.call(crud.delete, of_user(deleting(crud, ann), "ann")).is_success
        assert ann not in seen()


# --- deletes, versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("create", DELETES)
def test_what_is_deleted_is_gone(world: World, create: str) -> None:
    crud = CRUDS[create]
    one = make(world, crud, crud.made(world))
    first, second = world.call(crud.delete, deleting(crud, one)), world.call(crud.delete, deleting(crud, one))
    assert first.is_success, first.text
    # Either nothing happens, or it is not there: which one is the published answer of the operation.
    assert second.is_success or second.status_code == 404, second.text
    if crud.show:
        assert world.call(crud.show, Ask(path={crud.id_field: one})).status_code == 404
    if crud.update:
        assert world.call(crud.update, updating(world, crud, one)).status_code == 404


@pytest.mark.parametrize("create", UPDATES)
def test_versions_guard_against_lost_updates(world: World, create: str) -> None:
    crud = CRUDS[create]
    asked = world.ask(crud.update)

    def update(tag: str) -> httpx.Response:
        return world.call(crud.update, replace(asked, headers={**asked.headers, "If-Match": tag}))

    for tag in ('"77"', '"x"', 'W/"77"'):
        answer = update(tag)
        assert answer.status_code == 412, f"{tag}: {answer.status_code} {answer.text}"
    first = update('"1"')
    assert first.is_success, first.text
    assert first.headers["etag"] == '"2"'
    assert update('"1"').status_code == 412
    assert update("*").is_success
    assert update('"3"').is_success
    if crud.show:
        assert world.call(crud.show, Ask(path=asked.path)).headers["etag"] == '"4"'


# --- limits of every request ------------------------------------------------------------------------------


def signed(world: World, request: httpx.Request, project: str = PROJECT) -> httpx.Response:
    request.read()
    sign_request(request, world.keys[project], time.time())
    return world.http.send(request)


@pytest.mark.parametrize("name", [name for name in SERVED if contract().operations[name].body is not None])
def test_bodies_have_a_limit(world: World, name: str) -> None:
    content = json.dumps({"padding": "x" * MAX_BODY_BYTES}).encode()
    answer = signed(world, world.request(name, world.kept(name), content=content))
    assert (answer.status_code, answer.json()["error_code"]) == (413, "MSS.00000002")


def test_bodies_without_a_length_have_the_same_limit(world: World) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * (MAX_BODY_BYTES // 16)

    token = {"X-Auth-Token": "a token that nobody has looked at yet", "Content-Type": "application/json"}
    path = f"/v1/{PROJECT}/wise-brain-manager/role"
    answer = world.http.post(path, content=parts(), headers=token)
    assert answer.status_code in (401, 413)
    request = world.http.build_request("POST", path, content=parts(), headers={"Content-Type": "application/json"})
    sent = b"".join(parts())
    known = world.http.build_request("POST", path, content=sent, headers={"Content-Type": "application/json"})
    known.read()
    sign_request(known, world.keys[PROJECT], time.time())
    for header in ("Authorization", "X-Sdk-Date", "X-Project-Id"):
        request.headers[header] = known.headers[header]
    answer = world.http.send(request)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "MSS.00000002")


def test_every_operation_counts_against_its_project_s_rate(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asks = {name: world.kept(name) for name in SERVED}
    with running(tmp_path_factory.mktemp("rate"), project_rate=0.001, project_burst=2) as slow:
        for _ in range(2):
            assert slow.call("list_role", Ask()).is_success
        for name in SERVED:
            answer = slow.call(name, asks[name])
            assert (answer.status_code, answer.json()["error_code"]) == (429, "APIGW.0308"), name
            assert 0 < int(answer.headers["retry-after"]) <= 1000, name
        assert slow.call("list_role", Ask(), project=OTHER).is_success, "another project's rate is its own"
