from __future__ import annotations

from contract_world import Ask, World, crud, example


def _made(world: World) -> Ask:
    return Ask(body={"robot_id": world.robot(), "room_id": world.room(), "valid_period": 30})


crud(
    "active_code_id",
    _made,
    create="create_active_code",
    list="list_active_code",
    show="show_active_code",
    update="update_active_code",
    delete="delete_active_code",
    list_query=("robot_id",),
)


@example("reset_active_code")
def _reset(world: World) -> Ask:
    one = world.do("create_active_code", _made(world))["active_code_id"]
    return Ask(path={"active_code_id": one}, body={"clean_auth_credential": True})
