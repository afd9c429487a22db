from __future__ import annotations

from contract_world import Ask, World, example


@example("create_dialog_url")
def _made(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "room_id": world.room()})
