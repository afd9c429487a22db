"""Hot questions: what a robot proposes to be asked."""

from __future__ import annotations

from visavis.api.services import robot_words
from visavis.api.services.resources import Resource, robot_exists, serve

HOT_QUESTIONS = Resource(
    kind=robot_words.HOT_QUESTION,
    id_field="hot_question_id",
    name_field="hot_question",
    parent_field="robot_id",
    parent=robot_exists,
    filters=("language",),
    defaults={"language": "CN"},
)

serve(
    HOT_QUESTIONS,
    list="list_hot_question",
    create="create_hot_question",
    show="show_hot_question",
    update="update_hot_question",
    delete="delete_hot_question",
)
