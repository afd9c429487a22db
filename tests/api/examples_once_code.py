"""The example of one-time codes."""

from __future__ import annotations

from contract_world import Ask, World, example


@example("create_once_code")
def _create(_: World) -> Ask:
    return Ask()
