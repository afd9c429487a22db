from __future__ import annotations

from contract_world import Ask, World, example


@example("create_interactive_chat")
def _chat(world: World) -> Ask:
    library = world.do("create_knowledge_library")["knowledge_library_id"]
    pair = {"knowledge_library_id": library, "question": "When are you open?", "answer": "From nine to five."}
    world.do("create_question_answer", Ask(body=pair))
    role = {
        "name": "Guide",
        "description": "",
        "llm_source": "DEEP_SEEK",
        "role_business_list": [
            {
                "language": "EN",
                "knowledge_library_list": [
                    {"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": [library]}
                ],
            }
        ],
    }
    role_id = world.do("create_role", Ask(body=role))["role_id"]
    return Ask(body={"role_id": role_id, "session_id": "s1", "language": "EN", "message": "When are you open?"})
