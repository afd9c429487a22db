"""Ranges, defaults and enumerations of requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from visavis.contract.base import from_rfc3339, rfc3339
from visavis.contract.checking import body_of
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.loading import contract
from visavis.contract.media_types import BackgroundConfig, VideoConfig, parse_color
from visavis.contract.robots import check_llm_url
from visavis.contract.rooms import view
from visavis.contract.smart_chat_jobs import parse_extend_param
from visavis.store.robots import Robot


def body(operation: str, **given: Any) -> Any:
    """As the API takes a body: by the data."""
    return body_of(contract().operations[operation], json.dumps(given).encode())


def room(**more: Any) -> dict[str, Any]:
    """As the API takes a room: by the data, then by the view."""
    given: dict[str, Any] = body("create_smart_chat_room", **{"room_name": "r", **more})
    view(given)
    return given


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("room_name", ["a", "名" * 256], ["", "n" * 257, 5]),
        ("room_description", ["", "d" * 1024], ["d" * 1025]),
        ("concurrency", [0, 1024], [-1, 1025, "1", 1.5, True]),
        ("client_nums", [0, 1024], [-1, 1025]),
        ("exit_mute_threshold", [0, 1440], [-1, 1441]),
        ("billing_mode", ["CONCURRENCY", "CLIENT", "CLIENT_TOKENS"], ["FREE"]),
        ("default_language", ["CN", "EN", "zh_CN", "en_US"], ["ESP", "xx"]),
        ("chat_video_type", ["COMPUTER", "MOBILE", "HUB"], ["TV"]),
        ("chat_subtitle_config", [{"dx": 0, "dy": 1920, "width": 1, "height": 7680}], [{"dx": -1, "dy": 0}]),
        ("model_asset_id", ["default"], ["m" * 65]),
        ("layer_config", [[{"layer_type": "HUMAN"}]], [[{"layer_type": "HAT"}], [{}]]),
    ],
)
def test_room_fields(field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert room(**{field: value})[field] == value
    for value in bad:
        with pytest.raises(ApiError, match=r"MSS|Invalid parameter"):
            room(**{field: value})


def test_unknown_fields_are_ignored() -> None:
    assert "concurency" not in room(concurency=1)


def test_voice_ranges_and_defaults() -> None:
    def voice(**given: Any) -> dict[str, Any]:
        only: dict[str, Any] = room(voice_config_list=[given])["voice_config_list"][0]
        return only

    assert voice() == {
        "voice_asset_id": "default",
        "speed": 100,
        "pitch": 100,
        "volume": 140,
        "provider": "HUAWEI_EI",
        "language": "CN",
    }
    for field, low, high in (("speed", 50, 200), ("pitch", 50, 200), ("volume", 90, 240)):
        for value in (low, high):
            assert voice(**{field: value})[field] == value
        for value in (low - 1, high + 1):
            with pytest.raises(ApiError, match=field):
                voice(**{field: value})
    with pytest.raises(ApiError, match="not spoken here"):
        voice(language="ESP")


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (1280, 720), (1920, 1080), (2160, 3840), (3840, 2160)])
def test_sizes_that_are_served(size: tuple[int, int]) -> None:
    video = VideoConfig.model_validate({"width": size[0], "height": size[1]})
    assert (video.width, video.height) == size


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 640, "height": 480}, "not supported"),
        ({"clip_mode": "CROP", "width": 601, "height": 600}, "even"),
        ({"clip_mode": "CROP", "width": 600, "height": 600, "dx": -3}, "even"),
        ({"clip_mode": "CROP", "width": 1000, "height": 1000, "dx": 1920, "dy": 100}, "shows nothing"),
        ({"clip_mode": "CROP", "width": 600, "height": 600, "dx": -600}, "shows nothing"),
        ({"clip_mode": "CROP", "width": 3840, "height": 3840}, "more pixels"),
    ],
)
def test_sizes_that_are_not(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VideoConfig.model_validate(config)


def test_a_crop_inside_the_canvas() -> None:
    assert VideoConfig.model_validate({"clip_mode": "CROP", "width": 600, "height": 800, "dx": 100, "dy": 0}).dx == 100


@pytest.mark.parametrize(
    ("text", "color"),
    [("#a0b1C2", "#A0B1C2"), ("A0B1C2", "#A0B1C2"), ("160,177,194", "#A0B1C2"), ("rgb(0, 0,1)", "#000001")],
)
def test_colours(text: str, color: str) -> None:
    assert parse_color(text) == color


@pytest.mark.parametrize("text", ["", "red", "#12345", "256,0,0", "#GGGGGG"])
def test_no_colours(text: str) -> None:
    with pytest.raises(ValueError, match="not a colour"):
        parse_color(text)


@pytest.mark.parametrize(
    "config",
    [
        {"background_type": "COLOR"},
        {"background_type": "IMAGE"},
        {"background_type": "IMAGE", "background_config": "file:///etc/passwd"},
        {"background_type": "SOUND"},
    ],
)
def test_backgrounds_that_cannot_be_drawn(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BackgroundConfig.model_validate(config)


def test_robot_ranges() -> None:
    def robot(**more: Any) -> Any:
        return body("create_robot", **{"name": "r", "app_type": 7, **more})

    for app_type in (0, 1, 2, 5, 6, 7, 8):
        assert robot(app_type=app_type)["app_type"] == app_type
    assert robot()["tail_silence_time"] == 500
    for bad in (
        {"app_type": 4},
        {"app_type": 33},
        {"tail_silence_time": 3001},
        {"tail_silence_time": -1},
        {"name": ""},
    ):
        with pytest.raises(ApiError, match=next(iter(bad))):
            robot(**bad)


def test_secrets_do_not_show_in_a_repr() -> None:
    secrets = {"third_party_model_config": {"app_key": "hush", "asr_secret": "hush"}}
    assert "hush" not in repr(Robot("id", "p", "r", 6, "CHAT", "", {}, 1.0, 1.0, secrets))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", ErrorCode.LLM_URL_EMPTY),
        (None, ErrorCode.LLM_URL_EMPTY),
        ("llm", ErrorCode.LLM_URL_INVALID),
        ("ftp://x/y", ErrorCode.LLM_URL_INVALID),
        ("http://", ErrorCode.LLM_URL_INVALID),
        ("http://user:pw@host/", ErrorCode.LLM_URL_INVALID),
        ("http://host:99999/", ErrorCode.LLM_URL_INVALID),
        ("http://[::1", ErrorCode.LLM_URL_INVALID),
        ("http://a b/", ErrorCode.LLM_URL_INVALID),
    ],
)
def test_model_urls(url: str | None, code: ErrorCode) -> None:
    with pytest.raises(ApiError) as caught:
        check_llm_url(url)
    assert caught.value.code is code


def test_extend_param() -> None:
    assert parse_extend_param('{"client_id": "k", "extra_json_param": {"a": 1}}').client_id == "k"
    assert parse_extend_param(None).client_id == parse_extend_param("").client_id == ""
    for text in ("[]", "{", '{"client_id": 5}', "[" * 4000):
        with pytest.raises(ApiError) as caught:
            parse_extend_param(text)
        assert caught.value.code is ErrorCode.EXTEND_PARAM_INVALID


def test_times() -> None:
    assert rfc3339(1610268197) == "2021-01-10T08:43:17Z"
    assert from_rfc3339("2021-01-10T08:43:17Z") == 1610268197
    assert rfc3339(None) == ""
    with pytest.raises(ValueError, match="offset"):
        from_rfc3339("2021-01-10T08:43:17")


def test_error_codes_are_published_ones_with_an_error_status() -> None:
    for code in ErrorCode:
        assert code.code.startswith(("MSS.", "APIGW."))
        assert code is ErrorCode.SUCCESS or 400 <= code.status < 600
    error = ApiError(ErrorCode.INVALID_PARAMETER, "speed")
    assert error.body() == {"error_code": "MSS.00000003", "error_msg": "Invalid parameter: speed"}
