from __future__ import annotations

from contract_world import Ask, World, crud, example


def _made(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "welcome_speech": "Welcome!", "language": "EN"})


crud(
    "welcome_speech_id",
    _made,
    create="create_welcome_speech",
    list="list_welcome_speech",
    show="show_welcome_speech",
    update="update_welcome_speech",
    delete="delete_welcome_speech",
    list_query=("robot_id", "language"),
)


@example("show_welcome_speech_switch")
def _shown(world: World) -> Ask:
    return Ask(query={"robot_id": world.robot(), "language": "EN"})


@example("update_welcome_speech_switch")
def _set(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "language": "EN", "enable_welcome_speech": True})
