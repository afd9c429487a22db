from __future__ import annotations

from contract_world import Ask, World, crud, fill


def _made(world: World) -> Ask:
    return Ask(body=fill("CreateHotQuestionReq", robot_id=world.robot(), hot_question="What can you do?"))


crud(
    "hot_question_id",
    _made,
    create="create_hot_question",
    list="list_hot_question",
    show="show_hot_question",
    update="update_hot_question",
    delete="delete_hot_question",
    list_query=("robot_id",),
)
