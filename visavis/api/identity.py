"""Who calls: X-Auth-Token, or a signature with an AK/SK; and what the caller may do."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated, NoReturn, cast

import structlog
from fastapi import Depends, Request
from starlette.types import Scope

from visavis.api import signing
from visavis.api.context import Context, Ctx
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import identity as store
from visavis.store import tokens
from visavis.store.vault import digest

# An unknown AK costs the same work as a wrong signature.
_NOBODY = store.AccessKey(ak="", sk=secrets.token_urlsafe(30), project_id="")
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever signed the request, or holds the token.

    ``project_id`` None: a token without a project (then ``role`` is a viewer's). ``user_id`` None: a key that is nobody's.
    ``ak``: of the signature; empty: not signed. ``temporary``: signed with a key of limited life.
    """

    project_id: str | None
    user_id: str | None = None
    role: Role = Role.VIEWER
    ak: str = ""
    temporary: bool = False


async def identify(request: Request, context: Ctx) -> Identity:
    """The caller.

    Raises:
        ApiError: no, wrong or expired credentials; or its project asks too often.
    """
    authorization = header(request, b"authorization")
    if authorization.startswith(signing.ALGORITHM):
        caller = await _by_signature(request, context, authorization)
    elif token := header(request, b"x-auth-token"):
        caller = await by_token(context, token)
    else:
        _refuse(context, "none", ErrorCode.UNAUTHORIZED, "X-Auth-Token or a signature (SDK-HMAC-SHA256) is wanted")
    admit(context, caller)
    is_known(request, caller)
    return caller


def admit(context: Context, caller: Identity) -> None:
    """Raises ApiError (429) when the caller's project asks too often. Before :func:`is_known`: it costs no log entry."""
    context.rate.admit(caller.project_id or f"user {caller.user_id}", context.clock())


def is_known(request: Request, caller: Identity) -> None:
    """From here on the request's log lines and its entry in the audit log name the caller."""
    request.scope["state"]["caller"] = caller
    if caller.project_id:
        structlog.contextvars.bind_contextvars(project_id=caller.project_id)


async def by_token(context: Context, token: str) -> Identity:
    """The holder of a token of ``POST /v3/auth/tokens``."""
    found = await tokens.find(context.database, token, context.clock())
    if found is None:
        _refuse(context, "token", ErrorCode.INVALID_TOKEN, "")
    return Identity(found.project_id, found.user_id, found.role or Role.VIEWER)


def header(request: Request, name: bytes, missing: str = "") -> str:
    """The request's header of that name (lower case), or ``missing``. Of several the first."""
    for each, value in request.scope["headers"]:
        if each == name:
            return cast(bytes, value).decode("latin-1")
    return missing


async def _by_signature(request: Request, context: Context, header_value: str) -> Identity:
    scope = request.scope
    body = b"" if _has_no_body(scope) else await request.body()
    now = context.clock()
    try:
        authorization = signing.parse(header_value)
        key = await store.find_key(context.database, authorization.ak, now)
        signed = signing.SignedRequest(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("ascii", "replace"),
            # Header values travel as UTF-8 and are signed as such.
            headers=[(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in scope["headers"]],
            body=body,
        )
        signing.verify(signed, authorization, (key or _NOBODY).sk, now)
        if key is None:
            raise signing.BadSignatureError("the signature does not match the request")
        _check_security_token(request, key)
    except signing.BadSignatureError as error:
        _refuse(context, "signature", ErrorCode.UNAUTHORIZED, str(error))
    if header(request, b"x-project-id", key.project_id) != key.project_id:
        _refuse(context, "project", ErrorCode.TENANT_MISMATCH, "X-Project-Id")
    return Identity(key.project_id, key.user_id, key.role, key.ak, bool(key.token_hash))


def _has_no_body(scope: Scope) -> bool:
    """Of HTTP/1 a request without either of these headers has none, and need not be waited for. (HTTP/2 needs no length.)"""
    return scope["http_version"] == "1.1" and not any(name in _BODY_HEADERS for name, _ in scope["headers"])


def _check_security_token(request: Request, key: store.AccessKey) -> None:
    token = header(request, b"x-security-token")
    if not key.token_hash and not token:
        return
    if not hmac.compare_digest(digest(token), key.token_hash):
        raise signing.BadSignatureError("X-Security-Token is not the one of this access key")


def _refuse(context: Context, kind: str, code: ErrorCode, detail: str) -> NoReturn:
    context.metrics.auth_failures.labels(kind).inc()
    raise ApiError(code, detail)


def require(caller: Identity, role: Role) -> None:
    """Raises ApiError (403) unless the caller has that role, or more, in its project."""
    if not caller.role.allows(role):
        raise ApiError(
            ErrorCode.NO_PERMISSION, f"the role {role.value} is needed, this caller's is {caller.role.value}"
        )


def enter(request: Request, context: Context, caller: Identity, role: Role) -> str:
    """The door of every operation of a project: that of the path. Also checks X-App-UserId.

    Raises:
        ApiError: the project is not the caller's; the role does not suffice.
    """
    project_id = cast(str, request.path_params["project_id"])
    if caller.project_id != project_id:
        _refuse(context, "project", ErrorCode.TENANT_MISMATCH, "")
    require(caller, role)
    check_app_user(request)
    return project_id


def check_app_user(request: Request) -> None:
    """X-App-UserId must contain no Chinese: here, nothing but printable ASCII, at most 128 characters."""
    app_user = header(request, b"x-app-userid")
    if len(app_user) > 128 or not (app_user.isascii() and app_user.isprintable()):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "X-App-UserId: at most 128 printable ASCII characters")


Caller = Annotated[Identity, Depends(identify)]
