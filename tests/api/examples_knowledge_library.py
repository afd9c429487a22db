from __future__ import annotations

from contract_world import Ask, World, crud, example


def _made(_: World) -> Ask:
    return Ask(
        body={"name": "Visitors", "knowledge_type": "QUESTION_ANSWER", "language": "EN", "topk": 3, "score": 0.5}
    )


crud(
    "knowledge_library_id",
    _made,
    create="create_knowledge_library",
    list="list_knowledge_library",
    show="show_knowledge_library",
    update="update_knowledge_library",
    delete="delete_knowledge_library",
    list_query=("knowledge_type", "language"),
)


@example("check_recall_knowledge_library")
def _recall(world: World) -> Ask:
    library = world.do("create_knowledge_library")["knowledge_library_id"]
    pair = {"knowledge_library_id": library, "question": "When are you open?", "answer": "From nine to five."}
    world.do("create_question_answer", Ask(body=pair))
    return Ask(
        body={
            "knowledge_library_id": library,
            "knowledge_type": "QUESTION_ANSWER",
            "query": "when are you open",
            "topk": 1,
            "score": 0.1,
        }
    )
