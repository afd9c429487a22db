from __future__ import annotations

from contract_world import Ask, World, crud


def _made(world: World) -> Ask:
    library = world.do("create_knowledge_library")["knowledge_library_id"]
    return Ask(
        body={
            "instruction_library_id": world.do("create_instruction_library")["instruction_library_id"],
            "name": "Light on",
            "description": "Switches the light of a room on",
            "instruction": "light_on",
            "slot_list": [
                {
                    "name": "room",
                    "description": "Which room",
                    "knowledge_library_list": [{"language": "EN", "knowledge_library_id": library}],
                }
            ],
            "reply_words_list": [{"language": "EN", "reply_words": "The light is on.\nDone."}],
        }
    )


crud(
    "instruction_id",
    _made,
    create="create_instruction",
    list="list_instruction",
    show="show_instruction",
    update="update_instruction",
    delete="delete_instruction",
    list_query=("instruction_library_id",),
)
