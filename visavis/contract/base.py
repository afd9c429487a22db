"""What all request and answer types share."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

SpokenLanguage = Literal["zh", "en"]

Language = Literal["zh_CN", "en_US", "CN", "EN", "ESP", "por", "Arabic", "Thai", "fr"]
"""The published enumeration; all but Chinese and English exist on other sites only."""

_SPOKEN: dict[str, SpokenLanguage] = {"zh_CN": "zh", "CN": "zh", "en_US": "en", "EN": "en"}


class Request(BaseModel):
    """A request body: unknown fields are ignored, as the cloud does; types are not coerced."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(extra="forbid")


def is_web_url(text: str) -> bool:
    """Whether it has the form ``http(s)://host[:port]/path``, without a user and without spaces. Whether the server may
    call it is another matter (:mod:`visavis.urlpolicy`)."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and parts.username is None and not any(one.isspace() for one in text)


def spoken(language: str) -> SpokenLanguage:
    """The language as the speech engines name it.

    Raises:
        ValueError: visavis does not speak it.
    """
    try:
        return _SPOKEN[language]
    except KeyError:
        raise ValueError(f"language {language!r} is not spoken here, only CN and EN") from None


def published(language: SpokenLanguage) -> Literal["CN", "EN"]:
    """The inverse of :func:`spoken`, without the retired names."""
    return "CN" if language == "zh" else "EN"


def rfc3339(epoch: float | None) -> str:
    """Epoch seconds as ``2021-01-10T08:43:17Z``; empty for a time that has not come."""
    return "" if epoch is None else _written(int(epoch))


@lru_cache(4096)
def _written(epoch: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def from_rfc3339(text: str) -> float:
    """Epoch seconds.

    Raises:
        ValueError: not an RFC 3339 time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} lacks its UTC offset")
    return moment.timestamp()
