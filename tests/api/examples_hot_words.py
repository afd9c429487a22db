from __future__ import annotations

from contract_world import Ask, World, crud, example, fill

OURS = {"words": "ours: the SDK's models leave it out; test_api_robot_words.py has it"}


def _made(world: World) -> Ask:
    return Ask(body=fill("CreateHotWordsReq", robot_id=world.robot(), hot_words_type="SIS"), absent=OURS)


crud(
    "hot_words_id",
    _made,
    create="create_hot_words",
    list="list_hot_words",
    show="show_hot_words",
    update="update_hot_words",
    delete="delete_hot_words",
    list_query=("robot_id", "hot_words_type"),
    absent={
        "list_hot_words": {f"data.{name}": why for name, why in OURS.items()},
        "show_hot_words": OURS,
        "update_hot_words": OURS,
    },
)


@example("show_hot_words_switch")
def _shown(world: World) -> Ask:
    return Ask(query={"robot_id": world.robot()})


@example("update_hot_words_switch")
def _set(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "enable_hot_words": True})
