"""From what crossed to the worker to the assistant's own types."""

from __future__ import annotations

from visavis.dialogue.assistant.libraries import LibraryFile
from visavis.dialogue.assistant.plugins import Plugin
from visavis.dialogue.assistant.types import Instruction, McpServer, Role, Slot
from visavis.dialogue.endpoint import Endpoint
from visavis.session.spec import InstructionSpec, RoleSpec


def role_of(spec: RoleSpec) -> Role:
    """The role that an assistant plays."""
    return Role(
        prompts=spec.prompts,
        endpoint=Endpoint(**spec.llm.model_dump()) if spec.llm else None,
        instructions=[_instruction(one) for one in spec.instructions],
        mcp_servers=[McpServer(one.name, one.url, one.headers) for one in spec.mcp_servers],
        libraries={
            language: [LibraryFile(**one.model_dump()) for one in some] for language, some in spec.libraries.items()
        },
        plugins=[Plugin(**one.model_dump()) for one in spec.plugins],
    )


def _instruction(spec: InstructionSpec) -> Instruction:
    return Instruction(
        spec.name,
        spec.instruction,
        spec.description,
        [Slot(one.name, one.description, one.values) for one in spec.slots],
        spec.replies,
    )
