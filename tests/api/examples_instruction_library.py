from __future__ import annotations

from contract_world import Ask, World, crud


def _made(_: World) -> Ask:
    return Ask(body={"name": "Lights"})


crud(
    "instruction_library_id",
    _made,
    create="create_instruction_library",
    list="list_instruction_library",
    show="show_instruction_library",
    update="update_instruction_library",
    delete="delete_instruction_library",
)
