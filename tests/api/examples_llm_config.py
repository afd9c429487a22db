from __future__ import annotations

from contract_world import Ask, World, crud, fill


def _made(_: World) -> Ask:
    return Ask(body=fill("CreateLlmConfigReq", name="Model", llm_url="https://model.example/v1", model="large"))


crud(
    "llm_config_id",
    _made,
    create="create_llm_config",
    list="list_llm_config",
    show="show_llm_config",
    update="update_llm_config",
    delete="delete_llm_config",
)
