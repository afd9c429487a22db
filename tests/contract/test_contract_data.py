"""The contract's data: fresh, true to the SDK, whole, and what the checks make of it."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkmetastudio import v1 as sdk
from pydantic import BaseModel

from visavis.contract import media_types, rooms
from visavis.contract.base import Request
from visavis.contract.checking import WrongAnswerError, answer_of, body_of, form_of, headers_of, path_of, query_of
from visavis.contract.errors import ApiError
from visavis.contract.loading import contract
from visavis.contract.model import PLAIN_TYPES, Field, Operation

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = contract().operations
BY_SDK = {name: operation for name, operation in OPERATIONS.items() if hasattr(sdk.MetaStudioClient, name)}


def test_the_data_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("make_contract", ROOT / "tools" / "make_contract.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    present = {path.name: path.read_text() for path in maker.DATA.glob("*.toml")}
    fresh = maker.files()
    stale = [name for name in {*present, *fresh} if present.get(name) != fresh.get(name)]
    assert not stale, "run tools/make_contract.py"


OPTIONAL_HERE = {"start_smart_chat_job.robot_id": "the room's own robot serves, as it always did here"}

# --- the data against the SDK, read another way -------------------------------------------------------


def test_all_operations_are_there() -> None:
    assert len(BY_SDK) == 176
    assert all(operation.summary.isascii() for operation in OPERATIONS.values())


@pytest.mark.parametrize("name", sorted(BY_SDK))
def test_an_operation_is_what_the_sdk_sends(name: str) -> None:
    """The SDK's own request, made with a value in every attribute, tells where each goes."""
    operation = BY_SDK[name]
    model = getattr(sdk, next(kind for kind in vars(sdk) if kind.lower() == name.replace("_", "") + "request"))
    request = model(**{attribute: f"<{attribute}>" for attribute in model.attribute_map if attribute != "body"})
    has_body = "body" in model.attribute_map
    if has_body:
        body_type = model.openapi_types["body"]
        body = getattr(sdk, body_type)() if hasattr(sdk, body_type) else []
        request.body = body
    sent = getattr(sdk.MetaStudioClient, f"_{name}_http_info")(request)
    assert (sent["method"], sent["resource_path"]) == (operation.verb, operation.path)
    assert {"project_id", *sent["path_params"]} == set(operation.path_names)
    query = sent["query_params"]
    assert {one for one, _ in query} == set(operation.query)
    if not operation.form:  # there the SDK looks for its parts when it has a file
        assert not sent["post_params"]
    own = set(sent["header_params"]) - {"X-App-UserId", "Content-Type", "X-Request-Id"}
    assert own == set(operation.header)
    if has_body and not operation.form:
        assert operation.body is not None
        assert operation.body.type == re.sub(r"dict\(.*\)", "dict", model.openapi_types["body"])
    wire = {model.attribute_map[attribute]: attribute for attribute in model.attribute_map}
    # An attribute that is always set is required.
    always = set(re.findall(r"\n        self\.(\w+) = \1\b", inspect.getsource(model.__init__)))
    assert {one for one, field in operation.query.items() if field.required} == {
        one for one in operation.query if wire.get(one) in always and f"{name}.{one}" not in OPTIONAL_HERE
    }


def test_shapes_have_at_least_the_sdk_s_fields() -> None:
    for name, shape in contract().shapes.items():
        model = getattr(sdk, name, None)
        if model is None:
            continue
        wires = {wire for wire in model.attribute_map.values() if not wire.startswith("X-")}
        assert wires <= set(shape.fields), name


def test_every_type_is_known_and_every_rule_holds_together() -> None:
    def check(where: str, field: Field) -> None:
        assert field.leaf in PLAIN_TYPES or field.leaf in contract().shapes, where
        if field.default is not None:
            assert not field.enum or field.default in field.enum, where
            if field.type in ("int", "float"):
                assert field.min is None or field.min <= field.default, where
                assert field.max is None or field.default <= field.max, where
        for low, high in (
            (field.min, field.max),
            (field.min_length, field.max_length),
            (field.min_items, field.max_items),
        ):
            assert low is None or high is None or low <= high, where

    for name, operation in OPERATIONS.items():
        for place in (operation.query, operation.header, operation.form, operation.path_param):
            for one, field in place.items():
                check(f"{name}.{one}", field)
    for name, shape in contract().shapes.items():
        for one, field in shape.fields.items():
            check(f"{name}.{one}", field)


def test_requests_are_bounded() -> None:
    """Every text, number and list that a request may carry has an end."""
    seen: set[str] = set()

    def check(where: str, field: Field) -> None:
        assert field.item is None or field.max_items or field.enum or where.endswith("query"), f"{where}: endless list"
        if field.leaf == "str" and not field.enum and not field.format:
            assert field.max_length, f"{where}: endless text"
        if field.leaf in ("int", "float") and not field.enum:
            assert field.max is not None, f"{where}: endless number"
        if field.leaf in contract().shapes and field.leaf not in seen:
            seen.add(field.leaf)
            for one, inner in contract().shapes[field.leaf].fields.items():
                check(f"{field.leaf}.{one}", inner)

    for name, operation in OPERATIONS.items():
        if operation.body is not None:
            check(name, operation.body)
        for one, field in operation.query.items():
            check(f"{name}.{one}.query", field)


@pytest.mark.parametrize(
    ("place", "facts"),
    [
        ("ChatVoiceConfig.speed", {"min": 50, "max": 200, "default": 100}),
        ("ChatVoiceConfig.volume", {"min": 90, "max": 240, "default": 140}),
        ("CreateSmartChatRoomReq.concurrency", {"min": 0, "max": 1024}),
        ("CreateSmartChatRoomReq.room_name", {"required": True, "min_length": 1}),
        ("SubtitleConfig.font_size", {"min": 0, "max": 120}),
        ("FilesCreateReq.file_md5", {"min_length": 24, "max_length": 24}),
        ("LayerRotationConfig.angle", {"min": 0, "max": 360, "default": 0}),
        ("CreateAudioRecordConfigReq.obs_bucket_name", {"min_length": 1, "max_length": 64, "required": True}),
        ("CreateAsyncTtsJobRequestBody.priority", {"min": 0, "max": 10, "default": 5}),
        ("CreateAsyncTtsJobRequestBody.audio_format", {"enum": ("WAV", "MP3"), "default": "WAV"}),
        ("CreateLlmConfigReq.api_key", {"secret": True, "required": True}),
        ("UpdateRobotReq.app_type", {"enum": (0, 1, 2, 5, 6, 7, 8)}),
        ("ShowSmartChatJobResponse.create_time", {"format": "date-time"}),
        ("CreateDigitalAssetRequestBody.tags", {"max_items": 50, "max_length": 128, "type": "list[str]"}),
    ],
)
def test_published_facts(place: str, facts: dict[str, Any]) -> None:
    shape, name = place.split(".")
    field = contract().shapes[shape].fields[name]
    assert {fact: getattr(field, fact) for fact in facts} == facts


# --- the typed views --------------------------------------------------------------------------------------

VIEWS: list[tuple[type[BaseModel], str]] = [
    (rooms.RoomView, "CreateSmartChatRoomReq"),
    (media_types.VideoConfig, "VideoConfig"),
    (media_types.VoiceConfig, "VoiceConfig"),
    (media_types.ChatVoiceConfig, "ChatVoiceConfig"),
    (media_types.SubtitleConfig, "SubtitleConfig"),
    (media_types.BackgroundConfig, "BackgroundConfigInfo"),
    (media_types.Layer, "LayerConfig"),
    (media_types.LayerPosition, "LayerPositionConfig"),
    (media_types.LayerSize, "LayerSizeConfig"),
    (media_types.LayerRotation, "LayerRotationConfig"),
    (media_types.ImageLayer, "ImageLayerConfig"),
    (media_types.VideoLayer, "VideoLayerConfig"),
    (media_types.TextLayer, "TextLayerConfig"),
]

_JSON_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "shape"}
_LIMITS = {
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
}
_LOOSER = {"LayerPositionConfig.layer_index": "rooms of the first version may lack it"}


def test_every_view_is_held_against_the_data() -> None:
    there = {
        view
        for module in (rooms, media_types)
        for view in vars(module).values()
        if inspect.isclass(view) and issubclass(view, Request) and view is not Request
    }
    assert there == {view for view, _ in VIEWS}


@pytest.mark.parametrize(("view", "name"), VIEWS, ids=[view.__name__ for view, _ in VIEWS])
def test_a_typed_view_agrees_with_the_data(view: type[BaseModel], name: str) -> None:
    """Fields, types, enumerations, defaults and what is required are the data's; ranges are nowhere but in the data."""
    fields = contract().shapes[name].fields
    schema = view.model_json_schema()
    assert set(schema["properties"]) <= set(fields)
    for wire, property_ in schema["properties"].items():
        field = fields[wire]
        assert (wire in schema.get("required", [])) == field.required or f"{name}.{wire}" in _LOOSER, wire
        one = next(one for one in property_.get("anyOf", [property_]) if one.get("type") != "null")
        kind = one.get("type", "object")  # a reference is an object's
        if kind == "array":
            assert field.item is not None, wire
            one = one["items"]
            kind = one.get("type", "object")
        assert _JSON_TYPES[kind] == (field.leaf if field.leaf in PLAIN_TYPES else "shape"), wire
        assert not _LIMITS & set(one), f"{wire}: ranges are the data's business"
        assert set(one.get("enum", field.enum)) == set(field.enum), wire
        if property_.get("default") is not None:
            assert property_["default"] == (0 if field.default is None else field.default), wire


# --- checking requests --------------------------------------------------------------------------------


def ask(name: str, /, **body: Any) -> Any:
    return body_of(OPERATIONS[name], json.dumps(body).encode())


def message(name: str, raw: bytes) -> str:
    with pytest.raises(ApiError) as refused:
        body_of(OPERATIONS[name], raw)
    assert refused.value.code.status == 400
    return refused.value.error_msg


ROLE = {"name": "n", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": [{"language": "CN"}]}


def test_a_body_holds_what_was_given_and_known() -> None:
    assert ask("create_role", **ROLE, unknown=1, llm_config_id=None) == ROLE
    nested = {**ROLE, "role_business_list": [{"language": "CN", "prompt": None, "unknown": {}}]}
    assert ask("create_role", **nested) == ROLE


def test_defaults_are_filled_when_a_thing_is_made_but_not_when_it_is_changed() -> None:
    made = ask("create_smart_chat_room", room_name="r", voice_config_list=[{"voice_asset_id": "v"}])
    assert made["billing_mode"] == "CONCURRENCY"
    assert made["voice_config_list"] == [
        {"voice_asset_id": "v", "speed": 100, "pitch": 100, "volume": 140, "provider": "HUAWEI_EI", "language": "CN"}
    ]
    assert ask("update_smart_chat_room", concurrency=3) == {"concurrency": 3}


def test_a_missing_body_is_an_empty_one() -> None:
    assert body_of(OPERATIONS["start_smart_chat_job"], b"") == {}
    assert "name: Field required" in message("create_role", b" ")
    assert message("delete_role", b"") == "Invalid request body: the body is not JSON"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"[", "the body is not JSON"),
        (b"[]", "Input should be an object"),
        (b'{"name": "a\\u0000b"}', "NUL"),
        (json.dumps({**ROLE, "name": 5}).encode(), "name: Input should be a valid string"),
        (json.dumps({**ROLE, "name": ""}).encode(), "name: String should have at least 1 character"),
        (json.dumps({**ROLE, "name": None}).encode(), "name: Input should be a valid string"),
        (
            json.dumps({**ROLE, "llm_source": "secret!"}).encode(),
            "llm_source: Input should be 'LLM_CONFIG' or 'DEEP_SEEK'",
        ),
        (json.dumps({**ROLE, "role_business_list": [{"language": "xx"}]}).encode(), "role_business_list.0.language"),
    ],
)
def test_a_wrong_body_is_named_by_field_and_rule(raw: bytes, told: str) -> None:
    answer = message("create_role", raw)
    assert told in answer
    assert "secret!" not in answer


def test_numbers_and_texts_are_not_mixed_up() -> None:
    for wrong in ("3", 3.5, True, 1025, -1):
        assert "concurrency" in message(
            "create_smart_chat_room", json.dumps({"room_name": "r", "concurrency": wrong}).encode()
        )


def test_a_query_is_converted() -> None:
    listing = OPERATIONS["list_hot_question"]
    given = query_of(listing, [("robot_id", "r"), ("limit", "7"), ("unknown", "x"), ("language", "")])
    assert given == {"robot_id": "r", "limit": 7, "offset": 0, "sort_dir": "asc"}


@pytest.mark.parametrize("limit", ["0", "101", "x", "1.0", "1_0", "9" * 30, "ten"])
def test_a_wrong_limit(limit: str) -> None:
    with pytest.raises(ApiError, match="limit"):
        query_of(OPERATIONS["list_hot_question"], [("robot_id", "r"), ("limit", limit)])


def test_lists_and_truth_in_queries() -> None:
    listing = OPERATIONS["list_assets"]
    assert query_of(listing, [("asset_id", "a,b"), ("asset_id", "c"), ("is_movable", "True")])["asset_id"] == [
        "a",
        "b",
        "c",
    ]
    assert query_of(listing, [("is_movable", "false")])["is_movable"] is False
    with pytest.raises(ApiError, match="is_movable"):
        query_of(listing, [("is_movable", "0")])
    assert query_of(listing, [("asset_state", "ACTIVED, FAILED")])["asset_state"] == "ACTIVED,FAILED"
    with pytest.raises(ApiError, match="asset_state"):
        query_of(listing, [("asset_state", "ACTIVED,GONE")])


@pytest.mark.parametrize(
    "time", ["2021-01-10", "2021-01-10T08:43:17", "20210110T084317Z", "now", "2021-13-10T08:43:17Z"]
)
def test_times_are_rfc_3339(time: str) -> None:
    listing = OPERATIONS["list_smart_chat_rooms"]
    for right in ("2021-01-10T08:43:17Z", "2021-01-10T08:43:17.5+08:00"):
        assert query_of(listing, [("start_time", right)])["start_time"] == right
    with pytest.raises(ApiError, match="start_time"):
        query_of(listing, [("start_time", time)])


def test_paths_headers_and_forms() -> None:
    agency = OPERATIONS["create_agency_with_role_type"]
    assert path_of(agency, {"role_type": "SIS"}) == {"role_type": "SIS"}
    with pytest.raises(ApiError, match="role_type"):
        path_of(agency, {"role_type": "EIP"})
    upload = OPERATIONS["create_digital_asset"]
    assert headers_of(upload, [("x-mss-authorization", "t"), ("accept", "*/*")]) == {"X-MSS-Authorization": "t"}
    document = OPERATIONS["create_document"]
    file = object()
    assert form_of(document, {"file": file}) == {"file": file}
    with pytest.raises(ApiError, match="file"):
        form_of(document, {})


# --- checking answers ---------------------------------------------------------------------------------


def test_an_answer_has_the_contract_s_fields_only() -> None:
    create = OPERATIONS["create_hot_question"]
    right = {"hot_question_id": "1", "language": "CN", "create_time": "2021-01-10T08:43:17Z"}
    assert answer_of(create, right) == right
    for wrong in ({"hot_question_id": 1}, {"language": "xx"}, {"unknown": ""}, [], {"robot_id": None, "x": 1}):
        with pytest.raises(WrongAnswerError, match="create_hot_question"):
            answer_of(create, wrong)


def test_an_answer_without_fields_is_empty() -> None:
    delete = OPERATIONS["delete_role"]
    assert answer_of(delete, {}) == {}
    with pytest.raises(WrongAnswerError):
        answer_of(delete, {"role_id": "1"})


def test_who_reads_and_who_writes() -> None:
    def writes(name: str) -> bool:
        operation: Operation = OPERATIONS[name]
        return operation.writes

    assert not any(map(writes, ("show_role", "list_asset_summary", "check_voice_asset", "preview_document_segment")))
    assert all(map(writes, ("create_once_code", "delete_role", "transfer_asset", "start_smart_chat_job")))
