from __future__ import annotations

import time
from typing import Any

from contract_world import Ask, World, example

_FILE = {"file": ("house.md", b"# Hours\n\nWe open at nine.\n\n# Way\n\nTake the second stairs.\n")}


def library(world: World) -> str:
    body = {"name": "Papers", "knowledge_type": "DOCUMENT", "language": "EN"}
    return str(world.do("create_knowledge_library", Ask(body=body))["knowledge_library_id"])


def made(world: World) -> dict[str, Any]:
    """A document as its upload answers it."""
    return dict(world.do("create_document"))


def segmented(world: World) -> str:
    """The id of a document whose segments are there."""
    document_id = str(made(world)["document_id"])
    until = time.monotonic() + 60
    while (task := shown(world, document_id)["document_task_info"])["task_status"] in ("WAITING", "PROCESSING"):
        assert time.monotonic() < until, task
    assert task["task_status"] == "SUCCEED", task
    return document_id


def shown(world: World, document_id: str) -> dict[str, Any]:
    return dict(world.do("show_document_info", Ask(path={"document_id": document_id})))


@example("create_document")
def _create(world: World) -> Ask:
    return Ask(query={"knowledge_library_id": library(world)}, files=_FILE)


@example("list_document_info")
def _list(world: World) -> Ask:
    return Ask(query={"knowledge_library_id": made(world)["knowledge_library_id"], "file_name": "HOUSE"})


@example("show_document_info")
def _show(world: World) -> Ask:
    return Ask(path={"document_id": made(world)["document_id"]})


@example("update_document")
def _update(world: World) -> Ask:
    return Ask(path={"document_id": made(world)["document_id"]}, files={"file": ("new.txt", b"All is different.")})


@example("download_document")
def _download(world: World) -> Ask:
    return Ask(path={"document_id": made(world)["document_id"]})


@example("delete_document")
def _delete(world: World) -> Ask:
    return Ask(body=[made(world)["document_id"]])
