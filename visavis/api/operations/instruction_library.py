"""Instruction libraries: what a role can be told to do."""

from __future__ import annotations

from visavis.api.services import references
from visavis.api.services.resources import Resource, serve

LIBRARIES = Resource(
    kind=references.INSTRUCTION_LIBRARY,
    id_field="instruction_library_id",
    name_field="name",
    children=("instruction",),
    guard=references.named_by(references.ROLE),
)

serve(
    LIBRARIES,
    list="list_instruction_library",
    create="create_instruction_library",
    show="show_instruction_library",
    update="update_instruction_library",
    delete="delete_instruction_library",
)
