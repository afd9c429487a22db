from __future__ import annotations

from contract_world import Ask, World, example
from examples_document import made, segmented

_BY_HAND = {"split_type": 2, "chunk_size": 100, "chunk_type": "title,separator", "separators": ["\n\n", "."]}


@example("list_document_segment")
def _list(world: World) -> Ask:
    return Ask(query={"document_id": segmented(world)})


@example("preview_document_segment")
def _preview(world: World) -> Ask:
    return Ask(query={"document_id": made(world)["document_id"], "preview_lines": 2}, body=_BY_HAND)


@example("start_document_segment")
def _start(world: World) -> Ask:
    return Ask(body={"document_id": made(world)["document_id"]})


@example("update_document_segment_param")
def _param(world: World) -> Ask:
    return Ask(path={"document_id": made(world)["document_id"]}, body=_BY_HAND)


@example("update_document_segment_info")
def _info(world: World) -> Ask:
    document_id = segmented(world)
    page = world.do("list_document_segment", Ask(query={"document_id": document_id}))
    body = {"document_id": document_id, "id": page["data"][0]["id"], "text_index": 1, "text": "We open at ten."}
    return Ask(body=body)
