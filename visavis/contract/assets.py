"""What the asset library takes: types, their files, and how large these may be."""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024

MAX_FILE_BYTES: Final = {
    "IMAGE": 10 * MIB,
    "VIDEO": 64 * MIB,
    "HUMAN_MODEL_2D": 256 * MIB,
    "AUDIO": 64 * MIB,
    "MUSIC": 64 * MIB,
    "PPT": 256 * MIB,
    "COMMON_FILE": 5 * 1024 * MIB,
}
"""Of the MAIN file, by asset_type: these types can be made."""

REFUSED: Final = {
    "VOICE_MODEL": "voices come with the installation or from the operator's speech service; as published, users cannot upload them",
    "BUSINESS_CARD_TEMPLET": "templates are for producing business card videos, which is not served here",
}
"""Types that cannot have a meaning here, and why."""

MAX_OTHER_BYTES: Final = {
    "COVER": 10 * MIB,
    "PAGE": 10 * MIB,
    "SAMPLE": 64 * MIB,
    "OTHER": 1024 * MIB,
    "PACKAGE": 1024 * MIB,
}
"""Of files of the other categories."""

TEMPORARY: Final = "TEMPORARY"
"""A file of this category takes the place of the MAIN file when it is confirmed."""

MAX_PARTS: Final = 1000
"""Of a large file."""

UPLOAD_PREFIX: Final = "/upload/v1/"
DOWNLOAD_PREFIX: Final = "/download/v1/"

USABLE: Final = ("ACTIVED", "WAITING_DELETE")
"""States in which an asset may be used: the second announces that it will go."""

BIN: Final = "DELETING"
FROZEN: Final = "BLOCK"


def categories(kind: str) -> tuple[str, ...]:
    """The categories of files that an asset of that type may have."""
    more: tuple[str, ...] = ()
    if kind == "PPT":
        more = ("PAGE",)
    elif kind == "HUMAN_MODEL_2D":
        more = ("SAMPLE",)
    return ("MAIN", TEMPORARY, "COVER", *more, "OTHER", "PACKAGE")


def most_bytes(kind: str, category: str) -> int:
    """How large a file of an asset of that type may be."""
    return MAX_OTHER_BYTES.get(category, MAX_FILE_BYTES[kind])
