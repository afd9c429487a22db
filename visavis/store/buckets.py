"""Each project's S3-compatible store: where it is, and the key that signs requests to it.

An operator sets it on the command line. Requests of the API name only a bucket in it, so that no user can make this server
send signed requests, or anybody's words, to another place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, insert, select, update

from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.tables import buckets, projects

PURPOSE: Final = "buckets.secret"
DEFAULT_REGION: Final = "us-east-1"

_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\]")
_KEY: Final = re.compile(r"[!-~]{1,128}")
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


class BadBucketError(VisavisError):
    """An endpoint, key or region that cannot be used, or there is no such project."""


@dataclass(frozen=True, slots=True)
class BucketStore:
    """A project's store.

    Attributes:
        endpoint: scheme, host and port, without a path.
        path_style: the bucket's name stands in the path of URLs; else before the host's.
        aliases: hosts (with ports) that requests may name in its place, e.g. that of the cloud they were written for.
    """

    project_id: str
    endpoint: str
    access_key: str
    secret: str = field(repr=False)
    region: str = DEFAULT_REGION
    path_style: bool = True
    aliases: tuple[str, ...] = ()

    def means(self, named: str) -> bool:
        """Whether a request that names this endpoint (with its scheme or without) means this store."""
        return any(_same(named, one) for one in (self.endpoint, *self.aliases))


def clean_endpoint(text: str) -> str:
    """``scheme://host[:port]``, lower case; HTTPS if there is no scheme.

    Raises:
        BadBucketError: it is no such thing.
    """
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        raise BadBucketError(f"endpoint {text!r}: this is no URL") from None
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        raise BadBucketError(f"endpoint {text!r}: wanted https://host or http://host, with a port or without")
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise BadBucketError("the endpoint is scheme, host and port only; the key is asked for")
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != _PORTS[parts.scheme] else "")


def _same(named: str, endpoint: str) -> bool:
    try:
        wanted, mine = urlsplit(clean_endpoint(named)), urlsplit(clean_endpoint(endpoint))
    except BadBucketError:
        return False
    # A bare host says nothing of the scheme: it means whatever is there.
    port = _PORTS[wanted.scheme if "://" in named else mine.scheme]
    return (wanted.hostname, wanted.port or port) == (mine.hostname, mine.port or _PORTS[mine.scheme])


async def put(database: Database, store: BucketStore, now: float) -> BucketStore:
    """Keep a project's store, in place of the one before. Answers it as kept.

    Raises:
        BadBucketError: there is no such project, or something of it cannot be used.
    """
    endpoint = clean_endpoint(store.endpoint)
    aliases = tuple(clean_endpoint(alias) for alias in store.aliases)
    if not _KEY.fullmatch(store.access_key) or not store.secret.strip() or len(store.secret) > 256:
        raise BadBucketError("an access key has 1 to 128 visible ASCII characters, its secret 1 to 256 characters")
    if not _REGION.fullmatch(store.region):
        raise BadBucketError(f"region {store.region!r}: wanted letters, digits and hyphens")
    values = {
        "endpoint": endpoint,
        "region": store.region,
        "path_style": store.path_style,
        "aliases": list(aliases),
        "access_key": store.access_key,
        "secret": database.vault.seal(store.secret, PURPOSE),
        "updated_at": now,
    }
    async with database.write() as connection:
        if (await connection.execute(select(projects.c.id).where(projects.c.id == store.project_id))).first() is None:
            raise BadBucketError(f"there is no project {store.project_id!r}")
        there = buckets.c.project_id == store.project_id
        if not (await connection.execute(update(buckets).where(there).values(**values))).rowcount:
            await connection.execute(insert(buckets).values(project_id=store.project_id, created_at=now, **values))
    return BucketStore(
        store.project_id, endpoint, store.access_key, store.secret, store.region, store.path_style, aliases
    )


async def get(database: Database, project_id: str) -> BucketStore | None:
    """The project's store, with its secret.

    Raises:
        VaultError: the secret cannot be read.
    """
    async with database.read() as connection:
        row = (await connection.execute(select(buckets).where(buckets.c.project_id == project_id))).first()
    return None if row is None else _store(database, row)


async def remove(database: Database, project_id: str) -> bool:
    """Forget it. False: there was none."""
    async with database.write() as connection:
        return bool((await connection.execute(delete(buckets).where(buckets.c.project_id == project_id))).rowcount)


def _store(database: Database, row: Row[Any]) -> BucketStore:
    return BucketStore(
        project_id=row.project_id,
        endpoint=row.endpoint,
        access_key=row.access_key,
        secret=database.vault.unseal(row.secret, PURPOSE),
        region=row.region,
        path_style=row.path_style,
        aliases=tuple(row.aliases),
    )
