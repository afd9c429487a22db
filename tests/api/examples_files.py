"""Valid requests for files of assets, and the way of an upload."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from typing import Any

from contract_world import Ask, World, example


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0" + b"\xff" * 6 + b"\0" + b"\xff" * 6))
    + _chunk(b"IEND", b"")
)


def announced(asset_id: str, content: bytes, **more: Any) -> dict[str, Any]:
    """The body of ``create_file``."""
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    return {
        "asset_id": asset_id,
        "asset_file_category": "MAIN",
        "file_name": "file.png",
        "file_type": "png",
        "file_size": len(content),
        "file_md5": md5,
        **more,
    }


def put(world: World, asset_id: str, content: bytes, **more: Any) -> str:
    """Announce and send a file; its id."""
    file = world.do("create_file", Ask(body=announced(asset_id, content, **more)))
    answer = world.http.put(file["upload_url"], content=content)
    assert answer.status_code == 200, answer.text
    return str(file["file_id"])


def sent(world: World, asset_id: str, content: bytes, **more: Any) -> str:
    """The same, confirmed."""
    file_id = put(world, asset_id, content, **more)
    world.do("confirm_file_upload", Ask(path={"file_id": file_id}, body={"state": "CREATED"}))
    return file_id


def _asset(world: World) -> str:
    body = {"asset_name": "logo", "asset_type": "IMAGE"}
    return str(world.do("create_digital_asset", Ask(body=body))["asset_id"])


@example("create_file")
def _file(world: World) -> Ask:
    return Ask(body=announced(_asset(world), PNG))


@example("create_large_file")
def _large(world: World) -> Ask:
    body = announced(_asset(world), PNG, file_multipart_count=2)
    return Ask(body={name: value for name, value in body.items() if name != "file_md5"})


@example("confirm_file_upload")
def _confirmed(world: World) -> Ask:
    return Ask(path={"file_id": put(world, _asset(world), PNG)}, body={"state": "CREATED"})


@example("delete_file")
def _deleted(world: World) -> Ask:
    return Ask(path={"file_id": sent(world, _asset(world), PNG)})
