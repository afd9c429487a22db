"""Language model configurations: where a role's model is, and the key to it. The key is encrypted and never shown."""

from __future__ import annotations

from typing import Any

from visavis.api.services import references
from visavis.api.services.resources import Resource, serve
from visavis.api.skeleton import Call
from visavis.contract.robots import check_llm_url
from visavis.store.records import Record, Transaction


async def _checked(_: Call, __: Transaction, given: dict[str, Any], ___: Record | None) -> dict[str, Any]:
    if "llm_url" in given:
        # Only its form: whether the server may call it is seen when it does (visavis/urlpolicy.py), since names can move.
        check_llm_url(given["llm_url"])
    return given


LLM_CONFIGS = Resource(
    kind=references.LLM_CONFIG,
    id_field="llm_config_id",
    name_field="name",
    defaults={"model": ""},
    prepare=_checked,
    guard=references.named_by(references.ROLE),
)

serve(
    LLM_CONFIGS,
    list="list_llm_config",
    create="create_llm_config",
    show="show_llm_config",
    update="update_llm_config",
    delete="delete_llm_config",
)
