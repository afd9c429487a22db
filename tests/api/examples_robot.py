"""Examples of robots."""

from __future__ import annotations

from contract_world import Ask, World, crud, example, fill

MODEL = "https://model.example/chat"


def _made(world: World) -> Ask:
    model = fill("ThirdPartyModelConfig", llm_url=MODEL)
    return Ask(
        body=fill(
            "CreateRobotReq",
            name="Guide",
            app_type=6,
            room_id=world.room(),
            language="CN",
            third_party_model_config=model,
        )
    )


crud(
    "robot_id",
    _made,
    create="create_robot",
    list="list_robot",
    show="show_robot",
    update="update_robot",
    delete="delete_robot",
    list_query=("room_id", "robot_type"),
)


@example("validate_robot")
def _validate(world: World) -> Ask:
    library = {"name": "Visitors", "knowledge_type": "QUESTION_ANSWER", "language": "CN"}
    library_id = world.do("create_knowledge_library", Ask(body=library))["knowledge_library_id"]
    chosen = {"knowledge_type": "QUESTION_ANSWER", "knowledge_library_id_list": [library_id]}
    business = {"language": "CN", "knowledge_library_list": [chosen]}
    role = {"name": "Guide", "description": "", "llm_source": "DEEP_SEEK", "role_business_list": [business]}
    brain = fill("WiseBrainConfig", role_id=world.do("create_role", Ask(body=role))["role_id"])
    model = fill("ThirdPartyModelConfig", llm_url=MODEL)
    # Of the kinds that this server can hold a conversation with, the one that calls nobody for this role.
    return Ask(body=fill("ValidateRobotReq", app_type=7, wise_brain_config=brain, third_party_model_config=model))
