"""Objects in the buckets of S3-compatible stores, through obstore."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from visavis.errors import VisavisError
from visavis.store.buckets import BucketStore

_CONNECT_S: Final = 5.0
_UPLOAD_S: Final = 1800.0
"""For a whole recording."""
_AT_ONCE: Final = 2
"""Pieces (5 MiB) of a large object that are sent at the same time, and held in memory."""


class ObjectsError(VisavisError):
    """The store did not do it; the message says why, without secrets, and may be shown to the user."""


class Objects(Protocol):
    """A bucket."""

    async def put(self, key: str, content: bytes | Path, content_type: str) -> None:
        """Write an object, in place of one of that name. Raises ObjectsError."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object; what is not there is no error. Raises ObjectsError."""
        ...


Open = Callable[[BucketStore, str], Objects]
"""Opens the bucket of a name in a project's store; does not connect yet."""


async def check(bucket: Objects, timeout_s: float = 5.0) -> None:
    """Really write a small object and delete it.

    Raises:
        ObjectsError: it did not work, or not in time.
    """
    key = f"visavis-check-{secrets.token_hex(8)}"
    try:
        async with asyncio.timeout(timeout_s):
            await bucket.put(key, b"Written by visavis to see whether it can write here.\n", "text/plain")
            await bucket.delete(key)
    except TimeoutError:
        raise ObjectsError("the store does not answer in time") from None


class S3Objects:
    """A bucket behind the S3 protocol. Each request is tried once: whoever asks knows when to try again."""

    def __init__(self, store: BucketStore, bucket: str, request_s: float = 60.0) -> None:
        """``request_s``: the longest that one HTTP request may take."""
        from obstore.store import S3Store

        self._store = S3Store(
            bucket,
            config={
                "endpoint": store.endpoint if store.path_style else _with_bucket(store.endpoint, bucket),
                "access_key_id": store.access_key,
                "secret_access_key": store.secret,
                "region": store.region,
                "virtual_hosted_style_request": not store.path_style,
                # One request an object: not every store knows the other way.
                "disable_bulk_delete": True,
            },
            client_options={
                "allow_http": store.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=_CONNECT_S),
                "timeout": timedelta(seconds=request_s),
            },
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=request_s)},
        )

    async def put(self, key: str, content: bytes | Path, content_type: str) -> None:
        import obstore

        try:
            async with asyncio.timeout(_UPLOAD_S):
                await obstore.put_async(
                    self._store, key, content, attributes={"Content-Type": content_type}, max_concurrency=_AT_ONCE
                )
        except TimeoutError:
            raise ObjectsError("the upload took too long") from None
        except Exception as error:
            raise _told(error) from None

    async def delete(self, key: str) -> None:
        import obstore

        try:
            await obstore.delete_async(self._store, key)
        except Exception as error:
            reason = _told(error)
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
                return
            raise reason from None


def _with_bucket(endpoint: str, bucket: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{bucket}.{parts.netloc}"


_CODES: Final = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "the store does not know the access key",
    "SignatureDoesNotMatch": "the store refuses the signature: is the secret right?",
    "AccessDenied": "the access key may not write there",
    "RequestTimeTooSkewed": "the clocks of this server and the store differ too much",
    "InvalidBucketName": "the store refuses the bucket's name",
    "EntityTooLarge": "the store refuses an object of this size",
    "QuotaExceeded": "the store has no more room",
}


def _told(error: Exception) -> ObjectsError:
    """In words of ours: the client's own hold the whole request."""
    from obstore import exceptions

    text = str(error)
    for code, reason in _CODES.items():
        if f"<Code>{code}</Code>" in text:
            return ObjectsError(reason)
    permission: tuple[Any, ...] = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
    if isinstance(error, permission):
        return ObjectsError("the store refuses the access key")
    if isinstance(error, FileNotFoundError):
        return ObjectsError("there is no such bucket")
    if "error sending request" in text or "timed out" in text:
        return ObjectsError("the store cannot be reached")
    return ObjectsError("the store answered with an error")
