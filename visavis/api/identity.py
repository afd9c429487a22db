"""Who calls: X-Auth-Token, or a signature with an AK/SK."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, NoReturn, cast

import structlog
from fastapi import Depends, Request

from visavis.api import signing
from visavis.api.context import Context, Ctx
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import identity as store

# An unknown AK costs the same work as a wrong signature.
_NOBODY = store.AccessKey(ak="", sk=secrets.token_urlsafe(30), project_id="")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever signed the request, or holds the token. ``project_id`` None: a token without a project."""

    project_id: str | None
    user_id: str | None = None


async def identify(request: Request, context: Ctx) -> Identity:
    """The caller.

    Raises:
        ApiError: no, wrong or expired credentials.
    """
    authorization = request.headers.get("authorization", "")
    if authorization.startswith(signing.ALGORITHM):
        caller = await _by_signature(request, context, authorization)
    elif token := request.headers.get("x-auth-token", ""):
        caller = await by_token(context, token)
    else:
        _refuse(context, "none", ErrorCode.UNAUTHORIZED, "X-Auth-Token or a signature (SDK-HMAC-SHA256) is wanted")
    if caller.project_id:
        structlog.contextvars.bind_contextvars(project_id=caller.project_id)
    return caller


async def by_token(context: Context, token: str) -> Identity:
    """The holder of a token of ``POST /v3/auth/tokens``."""
    found = await store.find_token(context.database, token, context.clock())
    if found is None:
        _refuse(context, "token", ErrorCode.INVALID_TOKEN, "")
    return Identity(found.project_id, found.user_id)


async def _by_signature(request: Request, context: Context, header: str) -> Identity:
    body = await request.body()
    try:
        authorization = signing.parse(header)
        key = await store.find_key(context.database, authorization.ak)
        signed = signing.SignedRequest(
            method=request.method,
            path=request.scope["path"],
            query=request.scope["query_string"].decode("ascii", "replace"),
            # Header values travel as UTF-8 and are signed as such.
            headers=[(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in request.headers.raw],
            body=body,
        )
        signing.verify(signed, authorization, (key or _NOBODY).sk, context.clock())
        if key is None:
            raise signing.BadSignatureError("the signature does not match the request")
    except signing.BadSignatureError as error:
        _refuse(context, "signature", ErrorCode.UNAUTHORIZED, str(error))
    if request.headers.get("x-project-id", key.project_id) != key.project_id:
        _refuse(context, "project", ErrorCode.TENANT_MISMATCH, "X-Project-Id")
    return Identity(key.project_id)


def _refuse(context: Context, kind: str, code: ErrorCode, detail: str) -> NoReturn:
    context.metrics.auth_failures.labels(kind).inc()
    raise ApiError(code, detail)


async def project_of(request: Request, context: Ctx, caller: Annotated[Identity, Depends(identify)]) -> str:
    """The project of the path, which must be the caller's; also checks X-App-UserId."""
    project_id = cast(str, request.path_params["project_id"])
    if caller.project_id != project_id:
        _refuse(context, "project", ErrorCode.TENANT_MISMATCH, "")
    check_app_user(request)
    return project_id


def check_app_user(request: Request) -> None:
    """X-App-UserId must contain no Chinese: here, nothing but printable ASCII, at most 128 characters."""
    app_user = request.headers.get("x-app-userid", "")
    if len(app_user) > 128 or not (app_user.isascii() and app_user.isprintable()):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "X-App-UserId: at most 128 printable ASCII characters")


Caller = Annotated[Identity, Depends(identify)]
ProjectId = Annotated[str, Depends(project_of)]
