"""The unmodified official SDKs against the real HTTP server. Only the workers are played by the test."""

from __future__ import annotations

import base64
import hashlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkiam.v3 import (
    AuthScope,
    AuthScopeProject,
    IamClient,
    KeystoneCreateUserTokenByPasswordRequest,
    KeystoneCreateUserTokenByPasswordRequestBody,
    KeystoneListProjectsRequest,
    PwdAuth,
    PwdIdentity,
    PwdPassword,
    PwdPasswordUser,
    PwdPasswordUserDomain,
)
from huaweicloudsdkmetastudio import v1 as ms

from visavis.api.app import create_app
from visavis.api.catalogue import AvatarEntry, FixedCatalogue
from visavis.rtc import tokens
from visavis.settings import Settings
from visavis.speech.types import Voice
from visavis.store.keys import create_key, create_user

sys.path.insert(0, str(Path(__file__).parents[1] / "api"))
from control_fakes import FakeDispatcher

pytestmark = pytest.mark.system

PROJECT = "sdk-project"


class Running:
    """A server in a thread of its own, as clients see it."""

    def __init__(self, settings: Settings, dispatcher: FakeDispatcher) -> None:
        self.settings = settings
        self.dispatcher = dispatcher
        self.key = create_key(settings, PROJECT)
        create_user(settings, PROJECT, "operator", "correct horse")
        catalogue = FixedCatalogue(
            [Voice("en-amy", "Amy", ("en",), "female", "hibari")], [AvatarEntry("anny", "Anny", "CC0", "female")]
        )
        app = create_app(settings, dispatcher, catalogue)
        config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, ak: str | None = None, sk: str | None = None, project: str = PROJECT) -> Any:
        credentials = BasicCredentials(ak or self.key.ak, sk or self.key.sk, project)
        return ms.MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(self.endpoint).build()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive()


@contextmanager
def running(data: Path, dispatcher: FakeDispatcher | None = None, **settings: Any) -> Iterator[Running]:
    server = Running(Settings(data=data, **settings), dispatcher or FakeDispatcher())
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sdk")) as it:
        yield it


@pytest.fixture(scope="module")
def client(server: Running) -> Any:
    return server.client()


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What ``look`` answers as soon as ``wanted`` holds; each look is a request of its own."""
    deadline = time.monotonic() + 10
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
    return seen


def refused(call: Callable[[], Any], status: int, code: str) -> Any:
    """The SDK's exception; every one carries status, request id, code and message."""
    kind = ClientRequestException if status < 500 else ServerResponseException
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert (error.status_code, error.error_code) == (status, code), error
    assert error.error_msg
    assert len(error.request_id) == 32
    return error


def make_room(client: Any, **more: Any) -> str:
    body = ms.CreateSmartChatRoomReq(**{"room_name": "lobby", "concurrency": 1, **more})
    return str(client.create_smart_chat_room(ms.CreateSmartChatRoomRequest(body=body)).room_id)


def make_robot(client: Any, **more: Any) -> str:
    body = ms.CreateRobotReq(**{"name": "guide", "app_type": 7, **more})
    return str(client.create_robot(ms.CreateRobotRequest(body=body)).robot_id)


def show(client: Any, room: str, job: str) -> Any:
    return client.show_smart_chat_job(ms.ShowSmartChatJobRequest(room_id=room, job_id=job))


def test_the_whole_flow(server: Running, client: Any) -> None:
    robot = make_robot(client, tail_silence_time=700)
    room = make_room(
        client,
        robot_id=robot,
        room_description="入口大厅",
        model_asset_id="anny",
        voice_config_list=[ms.ChatVoiceConfig(voice_asset_id="en-amy", speed=120, language="EN")],
        video_config=ms.VideoConfig(clip_mode="RESIZE", codec="H264", bitrate=2000, width=720, height=1280),
        chat_subtitle_config=ms.ChatSubtitleConfig(dx=60, dy=1500, width=960, height=300),
        background_config=ms.BackgroundConfigInfo(background_type="COLOR", background_color_config="#102030"),
        default_language="EN",
        exit_mute_threshold=600,
    )
    extend = '{"city": "东莞", "client_id": "kiosk-7"}'
    started = client.start_smart_chat_job(
        ms.StartSmartChatJobRequest(room_id=room, body=ms.SmartChatJobsReq(extend_param=extend))
    )
    assert started.status_code == 200
    assert len(started.x_request_id) == 32
    assert started.chat_access_address == f"127.0.0.1:{server.port}"
    assert started.chat_access_rest_address == started.chat_access_address
    assert (started.video_config.width, started.video_config.height) == (720, 1280)
    assert started.default_language == "EN"
    assert started.voice_config_list[0].voice_asset_id == "en-amy"

    users = {user.user_type: user for user in started.rtc_room_info.users}
    assert set(users) == {"INFERENCE_USER", "END_USER", "PLAYER"}
    assert all(time.time() + 3600 < user.ctime < time.time() + 12 * 3600 for user in users.values())

    job = started.job_id
    spec = server.dispatcher.specs[job]
    assert spec.robot.tail_silence_ms == 700
    assert (spec.voices[0].voice_id, spec.voices[0].speed, spec.voices[0].language) == ("en-amy", 120, "en")
    assert (spec.background.kind, spec.background.color) == ("COLOR", "#102030")
    assert spec.exit_mute_threshold_s == 600

    shown = until(lambda: show(client, room, job), lambda seen: seen.state == "PROCESSING")
    assert shown.chat_state == 0
    assert shown.client_id == "kiosk-7"
    assert shown.rtc_room_info.room_id == started.rtc_room_info.room_id
    server.dispatcher.link(job)
    until(lambda: show(client, room, job), lambda seen: seen.chat_state == 2)
    client.stop_smart_chat_job(ms.StopSmartChatJobRequest(room_id=room, job_id=job))
    ended = show(client, room, job)
    assert (ended.state, ended.job_finish_reason, ended.chat_state) == ("SUCCEED", "NORMAL", 1)
    assert ended.end_time >= ended.start_time >= ended.create_time
    assert ended.error_info.error_code == "MSS.00000000"

    listed = client.list_smart_chat_job(ms.ListSmartChatJobRequest(room_id=room, state="SUCCEED,FAILED"))
    assert [entry.job_id for entry in listed.smart_chat_jobs] == [job]
    assert listed.count == 1

    client.delete_smart_chat_room(ms.DeleteSmartChatRoomRequest(room_id=room))
    client.delete_robot(ms.DeleteRobotRequest(body=[robot]))
    refused(lambda: client.show_robot(ms.ShowRobotRequest(robot_id=robot)), 404, "MSS.47010033")


def test_the_rtc_token_has_the_published_signature(server: Running, client: Any) -> None:
    room = make_room(client)
    started = client.start_smart_chat_job(ms.StartSmartChatJobRequest(room_id=room, body=ms.SmartChatJobsReq()))
    user = started.rtc_room_info.users[0]
    info = started.rtc_room_info
    # The key is the installation's secret: read it as the server does, and sign by the formula.
    import asyncio

    from visavis.store import identity
    from visavis.store.database import Database

    async def key() -> identity.RtcKey:
        database = await Database.open(server.settings)
        try:
            return await identity.rtc_key(database, PROJECT)
        finally:
            await database.close()

    app = asyncio.run(key())
    assert info.app_id == app.app_id
    assert user.signature == tokens.sign(app.app_key, info.app_id, info.room_id, user.user_id, user.ctime)


def test_rooms(client: Any) -> None:
    room = make_room(client, room_name="Tall screen", chat_video_type="HUB", concurrency=3, billing_mode="CLIENT")
    shown = client.show_smart_chat_room(ms.ShowSmartChatRoomRequest(room_id=room))
    assert (shown.room_name, shown.chat_video_type, shown.concurrency) == ("Tall screen", "HUB", 3)
    assert (shown.billing_mode, shown.default_language, shown.exit_mute_threshold) == ("CLIENT", "CN", 0)
    updated = client.update_smart_chat_room(
        ms.UpdateSmartChatRoomRequest(
            room_id=room, body=ms.CreateSmartChatRoomReq(room_name="Taller screen", concurrency=5)
        )
    )
    assert (updated.room_name, updated.concurrency, updated.chat_video_type) == ("Taller screen", 5, "HUB")
    listed = client.list_smart_chat_rooms(ms.ListSmartChatRoomsRequest(room_name="taller", limit=10, offset=0))
    assert (listed.count, listed.count_concurrency) == (1, 5)
    assert listed.smart_chat_rooms[0].room_id == room
    assert listed.smart_chat_rooms[0].model_infos.model_asset_id == "default"
    client.delete_smart_chat_room(ms.DeleteSmartChatRoomRequest(room_id=room))
    refused(lambda: client.show_smart_chat_room(ms.ShowSmartChatRoomRequest(room_id=room)), 404, "MSS.20010045")


def test_robots(client: Any) -> None:
    model = ms.ThirdPartyModelConfig(
        app_id="m", app_key="the-key", llm_url="https://llm.example/v1/chat/completions", is_stream=True, chat_rounds=3
    )
    robot = make_robot(client, name="bot", app_type=6, third_party_model_config=model)
    shown = client.show_robot(ms.ShowRobotRequest(robot_id=robot))
    assert (shown.name, shown.app_type, shown.llm_url) == ("bot", 6, "https://llm.example/v1/chat/completions")
    assert (shown.app_key, shown.chat_rounds, shown.tail_silence_time) == ("the-key", 3, 500)
    client.update_robot(
        ms.UpdateRobotRequest(
            robot_id=robot,
            body=ms.UpdateRobotReq(name="better", third_party_model_config=ms.ThirdPartyModelConfig(chat_rounds=7)),
        )
    )
    shown = client.show_robot(ms.ShowRobotRequest(robot_id=robot))
    assert (shown.name, shown.chat_rounds, shown.app_key) == ("better", 7, "the-key")
    listed = client.list_robot(ms.ListRobotRequest(robot_type="CHAT", limit=1, offset=0))
    assert listed.count >= 1
    assert listed.data[0].robot_id == robot
    client.delete_robot(ms.DeleteRobotRequest(body=[robot]))


def test_voices_and_avatars_are_assets(client: Any) -> None:
    voices = client.list_assets(ms.ListAssetsRequest(asset_type="VOICE_MODEL"))
    assert [asset.asset_id for asset in voices.assets] == ["default", "en-amy"]
    assert voices.assets[1].asset_extra_meta.voice_model_meta.sex == "FEMALE"
    avatar = client.show_asset(ms.ShowAssetRequest(asset_id="anny"))
    assert (avatar.asset_type, avatar.asset_name) == ("HUMAN_MODEL_2D", "Anny")
    refused(lambda: client.show_asset(ms.ShowAssetRequest(asset_id="nobody")), 404, "MSS.00000003")


def test_a_picture_is_uploaded_and_used_as_a_layer(client: Any) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    )
    asset = client.create_digital_asset(
        ms.CreateDigitalAssetRequest(body=ms.CreateDigitalAssetRequestBody(asset_name="logo", asset_type="IMAGE"))
    ).asset_id
    md5 = base64.b64encode(hashlib.md5(png, usedforsecurity=False).digest()).decode()
    file = client.create_file(
        ms.CreateFileRequest(
            body=ms.FilesCreateReq(
                file_name="logo.png", file_md5=md5, file_size=len(png), asset_id=asset, asset_file_category="MAIN"
            )
        )
    )
    assert httpx.put(file.upload_url, content=png).status_code == 200
    client.confirm_file_upload(
        ms.ConfirmFileUploadRequest(file_id=file.file_id, body=ms.ConfirmFileUploadRequestBody(state="CREATED"))
    )
    shown = client.show_asset(ms.ShowAssetRequest(asset_id=asset))
    assert (shown.asset_state, shown.files[0].file_size) == ("ACTIVED", len(png))
    layer = ms.LayerConfig(
        layer_type="IMAGE",
        asset_id=asset,
        position=ms.LayerPositionConfig(dx=40, dy=40, layer_index=2),
        size=ms.LayerSizeConfig(width=200, height=100),
    )
    room = make_room(client, layer_config=[layer, ms.LayerConfig(layer_type="HUMAN")])
    listed = client.show_smart_chat_room(ms.ShowSmartChatRoomRequest(room_id=room)).layer_config
    assert (listed[0].asset_id, listed[0].position.layer_index) == (asset, 2)
    client.update_digital_asset(
        ms.UpdateDigitalAssetRequest(asset_id=asset, body=ms.UpdateDigitalAssetRequestBody(asset_name="mark"))
    )
    refused(lambda: client.delete_asset(ms.DeleteAssetRequest(asset_id=asset)), 409, "MSS.00000003")
    client.delete_smart_chat_room(ms.DeleteSmartChatRoomRequest(room_id=room))
    client.delete_asset(ms.DeleteAssetRequest(asset_id=asset))
    assert client.show_asset(ms.ShowAssetRequest(asset_id=asset)).asset_state == "DELETING"
    client.restore_asset(ms.RestoreAssetRequest(asset_id=asset))
    client.delete_asset(ms.DeleteAssetRequest(asset_id=asset, mode="force"))
    refused(lambda: client.show_asset(ms.ShowAssetRequest(asset_id=asset)), 404, "MSS.00000003")


def test_once_code(client: Any) -> None:
    code = client.create_once_code(ms.CreateOnceCodeRequest())
    assert len(code.once_code) == 32
    assert code.once_code != client.create_once_code(ms.CreateOnceCodeRequest()).once_code


def of_a_later_version(client: Any) -> Any:
    """What an SDK of years to come may send."""
    sent = client._show_asset_http_info(ms.ShowAssetRequest(asset_id="x"))
    return client._call_api(**{**sent, "resource_path": "/v1/{project_id}/digital-assets/{asset_id}/portrait-of-2031"})


BAD = {
    "room without a name": (
        lambda c: c.create_smart_chat_room(
            ms.CreateSmartChatRoomRequest(body=ms.CreateSmartChatRoomReq(concurrency=1))
        ),
        400,
        "MSS.00000003",
    ),
    "concurrency out of range": (lambda c: make_room(c, concurrency=1025), 400, "MSS.00000003"),
    "speed out of range": (
        lambda c: make_room(c, voice_config=ms.VoiceConfig(voice_asset_id="default", speed=201)),
        400,
        "MSS.00000003",
    ),
    "unknown voice": (
        lambda c: make_room(c, voice_config=ms.VoiceConfig(voice_asset_id="nobody")),
        400,
        "MSS.00000003",
    ),
    "odd size": (
        lambda c: make_room(c, video_config=ms.VideoConfig(width=700, height=700, bitrate=2000)),
        400,
        "MSS.00000003",
    ),
    "room's robot unknown": (lambda c: make_room(c, robot_id="nobody"), 404, "MSS.47010033"),
    "room to show unknown": (
        lambda c: c.show_smart_chat_room(ms.ShowSmartChatRoomRequest(room_id="x")),
        404,
        "MSS.20010045",
    ),
    "room to update unknown": (
        lambda c: c.update_smart_chat_room(
            ms.UpdateSmartChatRoomRequest(room_id="x", body=ms.CreateSmartChatRoomReq(room_name="y"))
        ),
        404,
        "MSS.20010045",
    ),
    "room to delete unknown": (
        lambda c: c.delete_smart_chat_room(ms.DeleteSmartChatRoomRequest(room_id="x")),
        404,
        "MSS.20010045",
    ),
    "room list with a bad limit": (
        lambda c: c.list_smart_chat_rooms(ms.ListSmartChatRoomsRequest(limit=0)),
        400,
        "MSS.00000003",
    ),
    "room list with a bad time": (
        lambda c: c.list_smart_chat_rooms(ms.ListSmartChatRoomsRequest(start_time="now")),
        400,
        "MSS.00000003",
    ),
    "robot of unknown app_type": (lambda c: make_robot(c, app_type=3), 400, "MSS.00000003"),
    "robot without its model's URL": (lambda c: make_robot(c, app_type=6), 400, "MSS.47010131"),
    "robot with a bad URL": (
        lambda c: make_robot(c, app_type=6, third_party_model_config=ms.ThirdPartyModelConfig(llm_url="ftp://x")),
        400,
        "MSS.47010134",
    ),
    "robot's room unknown": (lambda c: make_robot(c, room_id="x"), 404, "MSS.20010045"),
    "robot to show unknown": (lambda c: c.show_robot(ms.ShowRobotRequest(robot_id="x")), 404, "MSS.47010033"),
    "robot to update unknown": (
        lambda c: c.update_robot(ms.UpdateRobotRequest(robot_id="x", body=ms.UpdateRobotReq(name="y"))),
        404,
        "MSS.47010033",
    ),
    "robots to delete unknown": (lambda c: c.delete_robot(ms.DeleteRobotRequest(body=["x"])), 404, "MSS.47010033"),
    "no robots to delete": (lambda c: c.delete_robot(ms.DeleteRobotRequest(body=[])), 400, "MSS.00000003"),
    "robot list of an unknown type": (
        lambda c: c.list_robot(ms.ListRobotRequest(robot_type="CAT")),
        400,
        "MSS.00000003",
    ),
    "job in an unknown room": (
        lambda c: c.start_smart_chat_job(ms.StartSmartChatJobRequest(room_id="x", body=ms.SmartChatJobsReq())),
        404,
        "MSS.20010045",
    ),
    "job with an unknown robot": (
        lambda c: c.start_smart_chat_job(
            ms.StartSmartChatJobRequest(room_id=make_room(c), robot_id="x", body=ms.SmartChatJobsReq())
        ),
        404,
        "MSS.47010033",
    ),
    "job with a bad extend_param": (
        lambda c: c.start_smart_chat_job(
            ms.StartSmartChatJobRequest(room_id=make_room(c), body=ms.SmartChatJobsReq(extend_param="["))
        ),
        400,
        "MSS.47010152",
    ),
    "job in a room without concurrency": (
        lambda c: c.start_smart_chat_job(
            ms.StartSmartChatJobRequest(room_id=make_room(c, concurrency=0), body=ms.SmartChatJobsReq())
        ),
        409,
        "MSS.20010135",
    ),
    "job with a vendor's robot": (
        lambda c: c.start_smart_chat_job(
            ms.StartSmartChatJobRequest(
                room_id=make_room(c), robot_id=make_robot(c, app_type=0), body=ms.SmartChatJobsReq()
            )
        ),
        400,
        "MSS.47010035",
    ),
    "job to show unknown": (lambda c: show(c, "x", "y"), 404, "MSS.20010074"),
    "job to stop unknown": (
        lambda c: c.stop_smart_chat_job(ms.StopSmartChatJobRequest(room_id="x", job_id="y")),
        404,
        "MSS.20010074",
    ),
    "jobs of an unknown room": (
        lambda c: c.list_smart_chat_job(ms.ListSmartChatJobRequest(room_id="x")),
        404,
        "MSS.20010045",
    ),
    "jobs in an unknown state": (
        lambda c: c.list_smart_chat_job(ms.ListSmartChatJobRequest(room_id=make_room(c), state="HAPPY")),
        400,
        "MSS.00000003",
    ),
    "app user in Chinese": (
        lambda c: c.create_once_code(ms.CreateOnceCodeRequest(x_app_user_id="用户")),
        400,
        "MSS.00000003",
    ),
    "an operation of a later version": (
        lambda c: of_a_later_version(c),
        404,
        "MSS.00010003",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(client: Any, name: str) -> None:
    call, status, code = BAD[name]
    refused(lambda: call(client), status, code)


def test_concurrency_and_capacity(tmp_path: Path) -> None:
    with running(tmp_path, FakeDispatcher(capacity=1)) as server:
        client = server.client()
        first, second = make_room(client), make_room(client)

        def start(room: str) -> Any:
            return client.start_smart_chat_job(ms.StartSmartChatJobRequest(room_id=room, body=ms.SmartChatJobsReq()))

        job = start(first).job_id
        refused(lambda: start(first), 409, "MSS.20010135")
        refused(lambda: start(second), 503, "MSS.20010089")
        refused(
            lambda: client.delete_smart_chat_room(ms.DeleteSmartChatRoomRequest(room_id=first)), 409, "MSS.20010046"
        )
        client.stop_smart_chat_job(ms.StopSmartChatJobRequest(room_id=first, job_id=job))
        assert show(client, first, job).state == "CANCELED"
        refused(
            lambda: client.stop_smart_chat_job(ms.StopSmartChatJobRequest(room_id=first, job_id=job)),
            409,
            "MSS.47010012",
        )
        start(second)


def test_a_stopped_server_knows_everything_again(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        client = server.client()
        room = make_room(client, robot_id=make_robot(client))
        key = server.key
        job = client.start_smart_chat_job(ms.StartSmartChatJobRequest(room_id=room, body=ms.SmartChatJobsReq())).job_id
        until(lambda: show(client, room, job), lambda seen: seen.state == "PROCESSING")
        server.dispatcher.link(job)
        until(lambda: show(client, room, job), lambda seen: seen.chat_state == 2)
    with running(tmp_path) as server:
        client = server.client(key.ak, key.sk)
        assert show(client, room, job).state == "SUCCEED"
        assert client.list_smart_chat_rooms(ms.ListSmartChatRoomsRequest()).count == 1


def test_wrong_credentials(server: Running) -> None:
    once = ms.CreateOnceCodeRequest()
    refused(lambda: server.client(sk="wrong").create_once_code(once), 401, "MSS.00000004")
    refused(lambda: server.client(ak="NOBODY").create_once_code(once), 401, "MSS.00000004")
    refused(lambda: server.client(project="other").create_once_code(once), 403, "MSS.00010009")


def password_request(password: str, project: str = PROJECT) -> KeystoneCreateUserTokenByPasswordRequest:
    user = PwdPasswordUser(domain=PwdPasswordUserDomain(name="default"), name="operator", password=password)
    identity = PwdIdentity(methods=["password"], password=PwdPassword(user=user))
    scope = AuthScope(project=AuthScopeProject(id=project))
    return KeystoneCreateUserTokenByPasswordRequest(
        body=KeystoneCreateUserTokenByPasswordRequestBody(auth=PwdAuth(identity=identity, scope=scope))
    )


def iam(server: Running) -> Any:
    credentials = GlobalCredentials(server.key.ak, server.key.sk, "default")
    return IamClient.new_builder().with_credentials(credentials).with_endpoint(server.endpoint).build()


def test_iam_sdk(server: Running) -> None:
    client = iam(server)
    created = client.keystone_create_user_token_by_password(password_request("correct horse"))
    assert created.status_code == 201
    assert created.token.project.id == PROJECT
    assert created.token.user.name == "operator"
    assert created.token.expires_at > created.token.issued_at
    assert created.x_subject_token

    by_token = server.client()
    request = ms.ListSmartChatRoomsRequest()
    # The SDK signs whatever it sends; a token needs none of that.
    import httpx

    answer = httpx.get(
        f"{server.endpoint}/v1/{PROJECT}/smart-chat-rooms", headers={"X-Auth-Token": created.x_subject_token}
    )
    assert answer.status_code == 200
    assert answer.json()["count"] == by_token.list_smart_chat_rooms(request).count

    projects = client.keystone_list_projects(KeystoneListProjectsRequest(name=PROJECT))
    assert [project.id for project in projects.projects] == [PROJECT]
    assert client.keystone_list_projects(KeystoneListProjectsRequest(name="nothing")).projects == []
    refused(lambda: client.keystone_create_user_token_by_password(password_request("wrong")), 401, "MSS.00000004")
    refused(
        lambda: client.keystone_create_user_token_by_password(password_request("correct horse", "other")),
        403,
        "MSS.00010009",
    )


def test_an_sdk_without_project_id_asks_iam(server: Running) -> None:
    key = create_key(server.settings, "by-region", name="cn-north-4")
    credentials = BasicCredentials(key.ak, key.sk).with_iam_endpoint(server.endpoint)
    client = (
        ms.MetaStudioClient.new_builder()
        .with_credentials(credentials)
        .with_region(Region("cn-north-4", server.endpoint))
        .build()
    )
    assert client.list_smart_chat_rooms(ms.ListSmartChatRoomsRequest()).count == 0
