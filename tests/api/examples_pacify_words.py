from __future__ import annotations

from typing import Any

from contract_world import Ask, World, crud, example


def _words(world: World) -> dict[str, Any]:
    return {
        "robot_id": world.robot(),
        "language": "EN",
        "pacify_words": "One moment, please.",
        "pacify_words_type": 1,
        "intent": world.do("create_knowledge_intent")["identify"],
    }


crud(
    "pacify_words_id",
    lambda world: Ask(body=_words(world)),
    create="create_pacify_words",
    list="list_pacify_words",
    show="show_pacify_words",
    update="update_pacify_words",
    delete="delete_pacify_words",
    list_query=("robot_id", "language", "pacify_words_type", "intent"),
)


@example("batch_delete_pacify_words")
def _several(world: World) -> Ask:
    return Ask(body=[world.do("create_pacify_words")["pacify_words_id"] for _ in range(2)])


@example("show_pacify_words_intent")
def _intents(world: World) -> Ask:
    world.do("create_knowledge_intent")
    return Ask(query={"robot_id": world.robot()})


@example("show_pacify_words_switch")
def _shown(world: World) -> Ask:
    return Ask(query={"robot_id": world.robot(), "language": "EN"})


@example("update_pacify_words_switch")
def _set(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "language": "EN", "enable_pacify_words": True})


@example("show_pacify_words_trigger_time")
def _shown_time(world: World) -> Ask:
    return Ask(query={"robot_id": world.robot(), "language": "EN"})


@example("update_pacify_words_trigger_time")
def _set_time(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "language": "EN", "trigger_time": 1500})
