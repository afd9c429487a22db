"""The published description of the drive WebSocket: whole, fresh, and true (test_api_drive.py holds every frame against it)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_server import Server
from drive_server import DOCUMENT, check
from jsonschema import Draft202012Validator, ValidationError

from visavis.api.drive import router
from visavis.contract.drive import COMMANDS, ServerFrame

ROOT = Path(__file__).resolve().parents[2]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(reference: str) -> Any:
    assert reference.startswith("#/"), reference
    node: Any = DOCUMENT
    for part in reference[2:].split("/"):
        node = node[part]
    return node


def test_it_has_the_parts_that_asyncapi_requires() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]
    (server,) = DOCUMENT["servers"].values()
    assert server["protocol"] == "wss"
    assert set(server["variables"]) == {"chat_access_address"}
    assert set(DOCUMENT["channels"]) == {"drive", "room"}
    channel = DOCUMENT["channels"]["drive"]
    assert set(channel["parameters"]) == {"project_id", "job_id"}
    for name in channel["parameters"]:
        assert f"{{{name}}}" in channel["address"]
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel_of = operation["channel"]["$ref"]
        assert channel_of in ("#/channels/drive", "#/channels/room")
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel_of}/messages/"), "an operation names messages of its channel"
    for message in DOCUMENT["components"]["messages"].values():
        assert message["summary"]
    for scheme in DOCUMENT["components"]["securitySchemes"].values():
        assert (scheme["type"], bool(scheme["name"])) == ("httpApiKey", True)


def test_its_address_is_served() -> None:
    assert [route.path for route in router.routes] == [DOCUMENT["channels"]["drive"]["address"]]


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    named = set(references(DOCUMENT))
    for reference in named:
        assert resolved(reference), reference
    for kind in ("schemas", "messages", "securitySchemes"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in named, name


def test_its_schemas_are_schemas_and_describe_all_there_is() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name
    by_operation = {
        name: {message["$ref"].rpartition("/")[2] for message in operation["messages"]}
        for name, operation in DOCUMENT["operations"].items()
    }
    assert by_operation["drive"] == set(COMMANDS)
    told = set(ServerFrame.model_json_schema()["properties"]["payload"]["discriminator"]["mapping"])
    assert by_operation["tell"] == (told - {"HEART_BEAT"}) | {"HEART_BEAT_told", "result"}


def test_it_can_refuse() -> None:
    check("STOP_CHAT", {"payload": {"command": "STOP_CHAT", "job_id": "j"}})
    for wrong in (
        {"payload": {"command": "START_CHAT", "job_id": "j"}},
        {"payload": {"command": "STOP_CHAT"}},
        {"payload": {"command": "STOP_CHAT", "job_id": 1}},
        {},
    ):
        with pytest.raises(ValidationError):
            check("STOP_CHAT", wrong)
    with pytest.raises(ValidationError):
        check("JOB_FINISHED", {"request_id": "r", "payload": {"command": "JOB_FINISHED", "job_id": "j", "data": {}}})


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_the_server_tells_it_and_the_file_is_fresh(server: Server) -> None:
    answer = await server.http.get("/asyncapi.json")
    assert answer.json() == DOCUMENT
    spec = importlib.util.spec_from_file_location("make_asyncapi", ROOT / "tools" / "make_asyncapi.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PAGE.read_text() == maker.page(), "run tools/make_asyncapi.py"
    assert yaml.safe_load(maker.PAGE.read_text()) == DOCUMENT
