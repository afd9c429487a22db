from __future__ import annotations

from contract_world import Ask, World, example


@example("create_agency_with_role_type")
def _granted(world: World) -> Ask:
    return Ask(path={"role_type": "CBS"})


@example("show_agency")
def _shown(world: World) -> Ask:
    world.do("create_agency_with_role_type")
    return Ask(query={"role_type": "CBS"})


@example("delete_agency_with_role_type")
def _withdrawn(world: World) -> Ask:
    return Ask(path={"role_type": "SIS"})
