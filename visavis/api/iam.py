"""IAM: tokens by password, temporary access keys, and the caller's projects."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from visavis.api.auditing import note
from visavis.api.context import Context, Ctx, base_url, client_host
from visavis.api.identity import Caller, Identity, admit, by_token, identify, is_known
from visavis.api.parse import json_body
from visavis.api.throttle import source
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.iam import (
    CreateTemporaryKey,
    CreateToken,
    Credential,
    Domain,
    Links,
    Project,
    ProjectList,
    TemporaryKeyCreated,
    Token,
    TokenCreated,
    TokenProject,
    TokenUser,
)
from visavis.contract.roles import Role
from visavis.store import identity as store
from visavis.store import tokens

router = APIRouter()

_DOMAIN = Domain(id="default", name="default")
_PUBLISHED_ROLES = {Role.ADMIN: "te_admin", Role.OPERATOR: "operator", Role.VIEWER: "readonly"}


@cache
def _nobody() -> str:
    """A hash to compare with when the user does not exist: the answer takes as long."""
    return store.hash_password("nobody has this password")


@router.post("/v3/auth/tokens", status_code=201)
async def create_token(
    request: Request,
    response: Response,
    context: Ctx,
    body: Annotated[CreateToken, Depends(json_body(CreateToken))],
    nocatalog: str = "",
) -> TokenCreated:
    """A token for a user's password, good for as long as the setting says (a day)."""
    user = await _user(request, context, body)
    member = await _membership(context, user, body)
    project = member.project if member else None
    is_known(request, Identity(project.id if project else None, user.id, member.role if member else Role.VIEWER))
    now, ttl_s = context.clock(), context.settings.token_ttl_s
    token = await tokens.issue(context.database, user.id, project.id if project else None, now, ttl_s)
    response.headers["X-Subject-Token"] = token
    return TokenCreated(
        token=Token(
            methods=["password"],
            issued_at=_keystone_time(now),
            expires_at=_keystone_time(now + ttl_s),
            user=TokenUser(id=user.id, name=user.name, domain=_DOMAIN),
            roles=[{"id": "0", "name": _PUBLISHED_ROLES[member.role]}] if member else [],
            catalog=[] if nocatalog else _catalog(base_url(request, context.settings)),
            project=TokenProject(id=project.id, name=project.name, domain=_DOMAIN) if project else None,
            domain=None if project else _DOMAIN,
        )
    )


async def _user(request: Request, context: Context, body: CreateToken) -> store.User:
    claimed = body.auth.identity.password.user
    now = context.clock()
    host = source(client_host(request))
    # By name and address: nobody can lock another one's account from elsewhere. By address: nor try many names.
    name = f"{host} {claimed.name}"
    user = await store.find_user(context.database, claimed.name)
    async with context.hashing:
        # Looked at in here: of many guesses made at once, those that still wait are refused when the first ones failed.
        context.passwords.check(name, now)
        context.password_hosts.check(host, now)
        matches = await asyncio.to_thread(_matches, user, claimed.password)
        if user is None or not matches:
            context.passwords.failed(name, now)
            context.password_hosts.failed(host, now)
        # Inside: one more hash counts as one more check.
        elif store.password_is_outdated(user.password_hash):
            fresh = await asyncio.to_thread(store.hash_password, claimed.password)
            await store.refresh_hash(context.database, user, fresh)
    if user is None or not matches:
        context.metrics.auth_failures.labels("password").inc()
        raise ApiError(ErrorCode.UNAUTHORIZED, "the user name or the password is wrong")
    context.passwords.succeeded(name)
    return user


def _matches(user: store.User | None, password: str) -> bool:
    return store.password_matches(user.password_hash if user else _nobody(), password)


async def _membership(context: Context, user: store.User, body: CreateToken) -> store.Membership | None:
    wanted = body.auth.scope.project if body.auth.scope else None
    if wanted is None or not (wanted.id or wanted.name):
        return None
    for member in await store.memberships_of(context.database, user.id):
        if wanted.id in (None, member.project.id) and wanted.name in (None, member.project.name):
            return member
    raise ApiError(ErrorCode.TENANT_MISMATCH, "the user does not belong to that project")


def _links(address: str) -> Links:
    # By its published name "self", which is no name for an argument.
    return Links.model_validate({"self": address})


def _catalog(base: str) -> list[dict[str, object]]:
    endpoint = {"id": "local", "interface": "public", "region": "*", "region_id": "*", "url": base}
    return [{"id": "metastudio", "name": "metastudio", "type": "metastudio", "endpoints": [endpoint]}]


def _keystone_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@router.post("/v3.0/OS-CREDENTIAL/securitytokens", status_code=201)
async def create_temporary_key(
    request: Request, context: Ctx, body: Annotated[CreateTemporaryKey, Depends(json_body(CreateTemporaryKey))]
) -> TemporaryKeyCreated:
    """A temporary AK/SK with its security token, for whoever asks with a project's token or a lasting AK/SK."""
    token = body.auth.identity.token
    if token.id:
        caller = await by_token(context, token.id)
        admit(context, caller)
        is_known(request, caller)
    else:
        caller = await identify(request, context)
    if caller.project_id is None:
        raise ApiError(ErrorCode.TENANT_MISMATCH, "the token is for no project")
    if caller.temporary:
        raise ApiError(ErrorCode.NO_PERMISSION, "a temporary access key cannot make another one")
    now = context.clock()
    made = await tokens.issue_key(
        context.database, caller.project_id, caller.role, caller.user_id, caller.ak, now, token.duration_seconds
    )
    note(request, target=made.key.ak)
    return TemporaryKeyCreated(
        credential=Credential(
            access=made.key.ak,
            secret=made.key.sk,
            securitytoken=made.security_token,
            expires_at=_keystone_time(now + token.duration_seconds),
        )
    )


@router.get("/v3/projects", response_model_by_alias=True)
async def list_projects(
    request: Request,
    context: Ctx,
    caller: Caller,
    name: str | None = None,
    enabled: bool | None = None,
    page: Annotated[int, Query(ge=1)] = 1,
    per_page: Annotated[int, Query(ge=1, le=5000)] = 5000,
) -> ProjectList:
    """The projects that the caller may enter; ``name`` finds a project by its exact name."""
    if caller.user_id is not None:
        found = await store.user_projects(context.database, caller.user_id)
    else:
        own = await store.project(context.database, caller.project_id or "")
        found = [own] if own else []
    if name is not None:
        found = [project for project in found if project.name == name]
    if enabled is False:
        found = []
    base = base_url(request, context.settings) + "/v3/projects"
    shown = found[(page - 1) * per_page : page * per_page]
    return ProjectList(
        projects=[
            Project(
                id=project.id,
                name=project.name,
                description="",
                domain_id=_DOMAIN.id,
                parent_id=_DOMAIN.id,
                is_domain=False,
                enabled=True,
                links=_links(f"{base}/{project.id}"),
            )
            for project in shown
        ],
        links=_links(base),
    )
