from __future__ import annotations

from itertools import count

from contract_world import Ask, World, crud, example

_numbers = count()


def _skill(world: World) -> Ask:
    return Ask(body={"name": "Visitors", "identify": f"visitors-{next(_numbers)}"})


def _intent(world: World) -> Ask:
    skill_id = world.do("create_knowledge_skill")["skill_id"]
    return Ask(body={"skill_id": skill_id, "name": "Opening hours", "answer": "We are open from nine to five."})


def _question(world: World) -> Ask:
    intent_id = world.do("create_knowledge_intent")["intent_id"]
    return Ask(body={"intent_id": intent_id, "question": "When are you open?"})


crud(
    "skill_id",
    _skill,
    create="create_knowledge_skill",
    list="list_knowledge_skill",
    show="show_knowledge_skill",
    update="update_knowledge_skill",
    delete="delete_knowledge_skill",
)
crud(
    "intent_id",
    _intent,
    create="create_knowledge_intent",
    list="list_knowledge_intent",
    show="show_knowledge_intent",
    update="update_knowledge_intent",
    delete="delete_knowledge_intent",
    list_query=("skill_id",),
)
crud(
    "question_id",
    _question,
    create="create_knowledge_question",
    list="list_knowledge_question",
    show="show_knowledge_question",
    update="update_knowledge_question",
    delete="delete_knowledge_question",
    list_query=("intent_id",),
)


@example("create_intent_and_question")
def _both(world: World) -> Ask:
    questions = [{"question": "When are you open?"}, {"question": "What are the opening hours?"}]
    return Ask(body={**_intent(world).body, "question_list": questions})


@example("create_batch_knowledge_question")
def _several(world: World) -> Ask:
    intent_id = world.do("create_knowledge_intent")["intent_id"]
    return Ask(body={"intent_id": intent_id, "question_list": [{"question": "When?"}, {"question": "How long?"}]})


@example("update_batch_knowledge_question")
def _changed(world: World) -> Ask:
    made = world.do("create_batch_knowledge_question")["question_list"]
    changed = [{"question_id": one["question_id"], "question": f"{one['question']} Please."} for one in made]
    return Ask(body={"question_list": changed})


@example("export_knowledge_skill")
def _exported(world: World) -> Ask:
    skill_id = world.do("create_knowledge_skill")["skill_id"]
    return Ask(path={"skill_id": skill_id}, query={"export_type": 0})
