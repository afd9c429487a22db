"""Temporary access keys, and revocation, through the unmodified official SDKs against a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiam import v3 as iam
from huaweicloudsdkmetastudio import v1 as ms
from identity_server import Served, served

from visavis.contract.roles import Role
from visavis.settings import Settings
from visavis.store import keys


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with served(Settings(data=tmp_path, database_url=database_url)) as running:
        yield running


def refused(call: Callable[[], Any], status: int, code: str) -> str:
    with pytest.raises(ClientRequestException) as caught:
        call()
    assert (caught.value.status_code, caught.value.error_code) == (status, code), caught.value
    return str(caught.value.error_msg)


def rooms(client: Any) -> int:
    return int(client.list_smart_chat_rooms(ms.ListSmartChatRoomsRequest()).count)


def make_room(client: Any) -> str:
    body = ms.CreateSmartChatRoomReq(room_name="lobby", concurrency=1)
    return str(client.create_smart_chat_room(ms.CreateSmartChatRoomRequest(body=body)).room_id)


def temporary(client: Any, token: str | None = None, seconds: int | None = None) -> Any:
    identity = iam.TokenAuthIdentity(methods=["token"], token=iam.IdentityToken(id=token, duration_seconds=seconds))
    body = iam.CreateTemporaryAccessKeyByTokenRequestBody(auth=iam.TokenAuth(identity=identity))
    request = iam.CreateTemporaryAccessKeyByTokenRequest(body=body)
    return client.create_temporary_access_key_by_token(request).credential


def sign_in(client: Any, name: str, password: str, project: str = "p1") -> str:
    user = iam.PwdPasswordUser(name=name, password=password, domain=iam.PwdPasswordUserDomain(name="default"))
    auth = iam.PwdAuth(
        identity=iam.PwdIdentity(methods=["password"], password=iam.PwdPassword(user=user)),
        scope=iam.AuthScope(project=iam.AuthScopeProject(id=project)),
    )
    body = iam.KeystoneCreateUserTokenByPasswordRequestBody(auth=auth)
    request = iam.KeystoneCreateUserTokenByPasswordRequest(body=body)
    return str(client.keystone_create_user_token_by_password(request).x_subject_token)


def test_a_temporary_key_of_a_lasting_one(server: Served) -> None:
    lasting = keys.create_key(server.settings, "p1")
    made = temporary(server.iam(lasting.ak, lasting.sk), seconds=3600)
    assert datetime.strptime(made.expires_at, "%Y-%m-%dT%H:%M:%S.%fZ")
    client = server.client(made.access, made.secret, made.securitytoken)
    make_room(client)
    assert rooms(client) == 1

    other = temporary(server.iam(lasting.ak, lasting.sk))
    assert other.access != made.access
    for token in (None, "wrong", other.securitytoken):
        wrong = server.client(made.access, made.secret, token)
        assert "X-Security-Token" in refused(lambda c=wrong: rooms(c), 401, "MSS.00000004")  # type: ignore[misc]
    stray = server.client(lasting.ak, lasting.sk, made.securitytoken)
    refused(lambda: rooms(stray), 401, "MSS.00000004")
    refused(lambda: rooms(server.client(made.access, made.secret, made.securitytoken, "p2")), 403, "MSS.00010009")

    again = server.iam(made.access, made.secret, made.securitytoken)
    refused(lambda: temporary(again), 403, "MSS.47010063")

    keys.revoke_key(server.settings, lasting.ak)
    refused(lambda: rooms(client), 401, "MSS.00000004")


def test_a_temporary_key_of_a_token(server: Served) -> None:
    keys.create_user(server.settings, "p1", "ann", "correct horse", Role.VIEWER)
    anybody = server.iam("NOBODY", "no-secret")
    token = sign_in(anybody, "ann", "correct horse")
    made = temporary(anybody, token)
    client = server.client(made.access, made.secret, made.securitytoken)
    assert rooms(client) == 0
    assert "operator" in refused(lambda: make_room(client), 403, "MSS.47010063")
    keys.set_role(server.settings, "p1", "ann", Role.OPERATOR)
    refused(lambda: make_room(client), 403, "MSS.47010063")  # it never allows more than what it was made with
    made = temporary(anybody, token)
    client = server.client(made.access, made.secret, made.securitytoken)
    make_room(client)
    keys.set_role(server.settings, "p1", "ann", Role.VIEWER)
    refused(lambda: make_room(client), 403, "MSS.47010063")
    keys.set_password(server.settings, "ann", "battery staple")
    refused(lambda: rooms(client), 401, "MSS.00000004")
    refused(lambda: temporary(anybody, token), 401, "MSS.00010008")


def test_what_is_no_request_for_a_temporary_key(server: Served) -> None:
    key = keys.create_key(server.settings, "p1")
    client = server.iam(key.ak, key.sk)
    for seconds in (899, 86401):
        assert "duration_seconds" in refused(lambda s=seconds: temporary(client, seconds=s), 400, "MSS.00000003")  # type: ignore[misc]
    assumed = iam.CreateTemporaryAccessKeyByAgencyRequestBody(
        auth=iam.AgencyAuth(
            identity=iam.AgencyAuthIdentity(
                methods=["assume_role"], assume_role=iam.IdentityAssumerole(agency_name="a", domain_id="default")
            )
        )
    )
    request = iam.CreateTemporaryAccessKeyByAgencyRequest(body=assumed)
    assert "methods" in refused(lambda: client.create_temporary_access_key_by_agency(request), 400, "MSS.00000003")
    narrowed = iam.CreateTemporaryAccessKeyByTokenRequestBody(
        auth=iam.TokenAuth(
            identity=iam.TokenAuthIdentity(
                methods=["token"],
                policy=iam.ServicePolicy(
                    version="1.1", statement=[iam.ServiceStatement(action=["*:*:*"], effect="Deny")]
                ),
            )
        )
    )
    asked = iam.CreateTemporaryAccessKeyByTokenRequest(body=narrowed)
    assert "policy" in refused(lambda: client.create_temporary_access_key_by_token(asked), 400, "MSS.00000003")


def test_rotation_and_revocation_while_the_server_runs(server: Served) -> None:
    old = keys.create_key(server.settings, "p1")
    client = server.client(old.ak, old.sk)
    assert rooms(client) == 0
    new = keys.rotate_key(server.settings, old.ak, 3600)
    successor = server.client(new.ak, new.sk)
    assert (rooms(client), rooms(successor)) == (0, 0)
    keys.revoke_key(server.settings, old.ak)
    refused(lambda: rooms(client), 401, "MSS.00000004")
    assert rooms(successor) == 0
    last = keys.rotate_key(server.settings, new.ak, 0)
    refused(lambda: rooms(successor), 401, "MSS.00000004")
    assert rooms(server.client(last.ak, last.sk)) == 0
