from __future__ import annotations

from contract_world import Ask, World, crud


def _made(world: World) -> Ask:
    return Ask(
        body={
            "knowledge_library_id": world.do("create_knowledge_library")["knowledge_library_id"],
            "question": "When are you open?",
            "answer": "From nine to five.",
            "similar_questions": "What are the opening hours?\nUntil when can I come?",
        }
    )


crud(
    "question_answer_id",
    _made,
    create="create_question_answer",
    list="list_question_answer",
    show="show_question_answer",
    update="update_question_answer",
    delete="delete_question_answer",
    list_query=("knowledge_library_id",),
)
