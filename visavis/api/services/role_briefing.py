"""What a worker is told of a role: who it is, what it thinks with, and what it may look up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from visavis.api.services import documents, references
from visavis.api.services.library_files import library_specs
from visavis.api.services.local_model import is_local, local_model
from visavis.api.services.plugin_specs import plugin_specs
from visavis.contract.base import SpokenLanguage, spoken
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.robots import check_llm_url
from visavis.session.spec import InstructionSpec, LlmSpec, McpServerSpec, RoleSpec, SlotSpec
from visavis.settings import Settings
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter, Record

CHAT_ROUNDS: Final = 5
"""Questions with their answers that a role's model is told of, the present one included."""

_INSTRUCTION: Final = "instruction"
_MOST_INSTRUCTIONS: Final = 500
_MOST_VALUES: Final = 1000


async def role_spec(
    database: Database, settings: Settings, folder: Path, role: Record, *, chat_rounds: int = CHAT_ROUNDS
) -> RoleSpec:
    """The role for a worker, as it is now.

    Args:
        folder: where files for workers are kept.

    Raises:
        ApiError: what it names is not there, or the address of its model is none.
    """
    told = role.document
    llm = await model_of(database, settings, role, chat_rounds=chat_rounds)
    businesses = _by_language(told.get("role_business_list", []))
    libraries = {
        language: await library_specs(database, folder, role.project_id, _libraries(business))
        for language, business in businesses.items()
        if _libraries(business)
    }
    return RoleSpec(
        prompts={language: prompt for language, one in businesses.items() if (prompt := one.get("prompt", "").strip())},
        llm=llm,
        libraries=libraries,
        plugins=await plugin_specs(database, role.project_id, told.get("plugin_config_list", [])),
        mcp_servers=await _mcp_servers(database, settings, role),
        instructions=await _instructions(database, role),
    )


def check_answers(role: RoleSpec) -> None:
    """Raises ApiError: the role has nothing to answer with."""
    if role.llm is None and not role.libraries and not role.instructions:
        raise ApiError(
            ErrorCode.ROBOT_UNUSABLE,
            "its role's llm_source is DEEP_SEEK, for which the server has no settings (deep_seek_url, local_model_url), and it "
            "has neither knowledge libraries nor instructions",
        )


async def model_of(
    database: Database, settings: Settings, role: Record, *, chat_rounds: int = CHAT_ROUNDS
) -> LlmSpec | None:
    """The role's language model; None: the server has none for its source.

    Raises:
        ApiError: what it names is not there, or its address is none.
    """
    if role.document["llm_source"] != "LLM_CONFIG":
        if not settings.deep_seek_url:
            return local_model(settings, chat_rounds) if settings.local_model_url else None
        check_llm_url(settings.deep_seek_url)
        return LlmSpec(
            url=settings.deep_seek_url,
            model=settings.deep_seek_model,
            api_key=settings.deep_seek_key,
            chat_rounds=chat_rounds,
            trusted=True,
        )
    config_id = role.document.get("llm_config_id", "")
    config = await records.get(database, role.project_id, references.LLM_CONFIG, config_id)
    if config is None:
        raise ApiError(ErrorCode.ROBOT_UNUSABLE, "the role's llm_config_id names what is not there")
    url = config.document["llm_url"]
    check_llm_url(url)
    if is_local(url):
        return local_model(settings, chat_rounds)
    return LlmSpec(
        url=url,
        model=config.document.get("model", ""),
        api_key=config.secrets.get("api_key", ""),
        chat_rounds=chat_rounds,
    )


def _by_language(businesses: Sequence[Mapping[str, Any]]) -> dict[SpokenLanguage, Mapping[str, Any]]:
    """What the role does in each language that is spoken here; of two names of one language the first counts."""
    found: dict[SpokenLanguage, Mapping[str, Any]] = {}
    for one in businesses:
        language = _spoken(one["language"])
        if language is not None:
            found.setdefault(language, one)
    return found


def _spoken(language: str) -> SpokenLanguage | None:
    try:
        return spoken(language)
    except ValueError:
        return None


def _libraries(business: Mapping[str, Any]) -> list[str]:
    chosen = business.get("knowledge_library_list", [])
    return list(dict.fromkeys(one for some in chosen for one in some["knowledge_library_id_list"]))


# --- tools ------------------------------------------------------------------------------------------------


async def _mcp_servers(database: Database, settings: Settings, role: Record) -> list[McpServerSpec]:
    """The role's servers, in its order, with what opens them: what the project stored, else what the operator has set."""
    ids = role.document.get("mcp_server_id_list", [])
    if not ids:
        return []
    _, there = await records.listing(database, role.project_id, references.MCP_SERVER, Filter(ids=ids), limit=None)
    known = {record.id: record for record in there}
    found = []
    for record in (known[one] for one in dict.fromkeys(ids) if one in known):
        url, header = record.document["mcp_server_url"], record.document.get("auth_header_name", "")
        value = record.secrets.get("auth_header_value", "") or settings.mcp_credentials.get(url, "")
        headers = {header: value} if header and value else {}
        found.append(McpServerSpec(name=record.name, url=url, headers=headers))
    return found


# --- instructions -----------------------------------------------------------------------------------------


async def _instructions(database: Database, role: Record) -> list[InstructionSpec]:
    library_id = role.document.get("instruction_library_id", "")
    if not library_id:
        return []
    inside = Filter(parent_id=library_id)
    _, there = await records.listing(
        database, role.project_id, _INSTRUCTION, inside, limit=_MOST_INSTRUCTIONS, order="asc"
    )
    return [await _instruction(database, record) for record in there]


async def _instruction(database: Database, record: Record) -> InstructionSpec:
    told = record.document
    replies: dict[SpokenLanguage, str] = {}
    for words in told.get("reply_words_list", []):
        language = _spoken(words["language"])
        if language is not None:
            replies.setdefault(language, words["reply_words"])
    return InstructionSpec(
        name=record.name,
        instruction=told["instruction"],
        description=told.get("description", ""),
        slots=[await _slot(database, record.project_id, slot) for slot in told.get("slot_list", [])],
        replies=replies,
    )


async def _slot(database: Database, project_id: str, slot: Mapping[str, Any]) -> SlotSpec:
    values: dict[SpokenLanguage, dict[str, list[str]]] = {}
    for one in slot.get("knowledge_library_list", []):
        language = _spoken(one["language"])
        if language is None or language in values:
            continue
        inside = Filter(parent_id=one["knowledge_library_id"])
        _, there = await records.listing(
            database, project_id, documents.QUESTION_ANSWER, inside, limit=_MOST_VALUES, order="asc"
        )
        values[language] = dict(_value(record) for record in there)
    return SlotSpec(name=slot["name"], description=slot.get("description", ""), values=values)


def _value(record: Record) -> tuple[str, list[str]]:
    """A value that a slot may have, and the words that mean it: an answer of its library, and the questions of that."""
    return record.document["answer"].strip(), list(_lines(record.document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for line in (document["question"], *document.get("similar_questions", "").split("\n")):
        if line.strip():
            yield line.strip()
