"""The part of IAM that clients need: tokens by password, projects."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from visavis.contract.base import Answer, Request


class _DomainName(Request):
    name: str | None = Field(None, max_length=64)
    id: str | None = Field(None, max_length=64)


class _User(Request):
    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=128, repr=False)
    domain: _DomainName | None = None


class _Password(Request):
    user: _User


class _Identity(Request):
    methods: list[Literal["password"]] = Field(min_length=1, max_length=1)
    password: _Password


class _Project(Request):
    id: str | None = Field(None, max_length=64)
    name: str | None = Field(None, max_length=64)


class _Scope(Request):
    project: _Project | None = None
    domain: _DomainName | None = None


class _Auth(Request):
    identity: _Identity
    scope: _Scope | None = None


class CreateToken(Request):
    """Body of ``POST /v3/auth/tokens``."""

    auth: _Auth


class _TokenForKey(Request):
    id: str | None = Field(None, max_length=256, repr=False)
    duration_seconds: int = Field(900, ge=900, le=86400)


class _KeyIdentity(Request):
    methods: list[Literal["token"]] = Field(min_length=1, max_length=1)
    token: _TokenForKey = _TokenForKey()
    # Taking no notice of it would hand out more than was asked for.
    policy: None = None


class _KeyAuth(Request):
    identity: _KeyIdentity


class CreateTemporaryKey(Request):
    """Body of ``POST /v3.0/OS-CREDENTIAL/securitytokens``, by token. Policies that narrow a key are not known here."""

    auth: _KeyAuth


class Credential(Answer):
    """A temporary access key."""

    access: str
    secret: str = Field(repr=False)
    securitytoken: str = Field(repr=False)
    expires_at: str


class TemporaryKeyCreated(Answer):
    """Answer of ``POST /v3.0/OS-CREDENTIAL/securitytokens``."""

    credential: Credential


class Domain(Answer):
    """An account. Every installation has one."""

    id: str
    name: str


class TokenUser(Answer):
    """Whose token it is."""

    id: str
    name: str
    domain: Domain
    password_expires_at: str = ""


class TokenProject(Answer):
    """The project a token is for."""

    id: str
    name: str
    domain: Domain


class Token(Answer):
    """A token as described to its owner; the token itself is in the header X-Subject-Token."""

    methods: list[str]
    issued_at: str
    expires_at: str
    user: TokenUser
    roles: list[dict[str, str]]
    catalog: list[dict[str, Any]]
    project: TokenProject | None = None
    domain: Domain | None = None


class TokenCreated(Answer):
    """Answer of ``POST /v3/auth/tokens``."""

    token: Token


class Links(BaseModel):
    """Keystone's links."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    self_: str = Field(alias="self")
    previous: str | None = None
    next: str | None = None


class Project(Answer):
    """One project."""

    id: str
    name: str
    description: str
    domain_id: str
    parent_id: str
    is_domain: bool
    enabled: bool
    links: Links


class ProjectList(Answer):
    """Answer of ``GET /v3/projects``."""

    projects: list[Project]
    links: Links
