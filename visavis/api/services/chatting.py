"""What a role answers in writing: its model, told what its libraries recall; without a model, what they have stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from visavis import log
from visavis.api.services import documents, references
from visavis.api.services.recalling import Found
from visavis.api.skeleton import Call
from visavis.contract.base import spoken
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dialogue import phrases
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.model import ModelDialogue
from visavis.dialogue.stored import StoredAnswers
from visavis.dialogue.types import Dialogue, Message, Turn
from visavis.speech.types import Language
from visavis.store import records
from visavis.store.records import Filter, Record
from visavis.urlpolicy import UrlPolicy, UrlRefused

_log = log.get(__name__)

CHAT: Final = "role_chat"
"""What was said to a role in one session: encrypted, below the role."""

ROUNDS: Final = 5
"""Questions with their answers that a model is reminded of."""

KEPT_S: Final = 24 * 3600.0
_MOST_SESSIONS: Final = 1000
_PRUNED: Final = 100
_REMEMBERED: Final = 4000
_LONGEST_QUESTION: Final = 1024
_TIMEOUT_S: Final = 60.0
_FACTS: Final = 5
_FACT_LENGTH: Final = 2000
_FACTS_BEGIN: Final[dict[Language, str]] = {
    "en": "What follows is recalled from your knowledge libraries; use it where it answers the question:",
    "zh": "以下内容来自你的知识库，回答问题时请在相关之处使用：",
}


@dataclass(frozen=True, slots=True)
class _Business:
    """What the role does in the language of the question."""

    language: Language
    prompt: str
    libraries: tuple[str, ...]


# --- the session ------------------------------------------------------------------------------------------


def _session_id(call: Call, role: Record, session_id: str) -> str:
    return hashlib.sha256("\0".join((call.app_user, role.id, session_id)).encode()).hexdigest()[:32]


async def session(call: Call, role: Record, session_id: str) -> list[Message]:
    """What was said in the session before, the oldest first; nothing when the last of it is older than a day."""
    record = await records.get(call.context.database, call.project_id, CHAT, _session_id(call, role, session_id))
    if record is None or record.updated_at < call.now - KEPT_S:
        return []
    return [Message(one["role"], one["text"]) for one in record.secrets["messages"]]


async def remember(call: Call, role: Record, session_id: str, question: str, answered: str) -> None:
    """Add a question and its answer to the session. A role has so many sessions; the oldest are forgotten."""
    record_id, now = _session_id(call, role, session_id), call.now
    new = [{"role": "user", "text": question[:_REMEMBERED]}, {"role": "assistant", "text": answered[:_REMEMBERED]}]
    async with records.transaction(call.context.database) as steps:
        if await steps.get(call.project_id, references.ROLE, role.id) is None:
            return  # deleted meanwhile
        old = await steps.get(call.project_id, CHAT, record_id)
        if old is None:
            inside = Filter(parent_id=role.id)
            if await steps.count(call.project_id, CHAT, inside) >= _MOST_SESSIONS:
                _, oldest = await steps.listing(call.project_id, CHAT, inside, limit=_PRUNED, order="asc")
                await steps.remove(call.project_id, CHAT, [one.id for one in oldest])
        before = old.secrets["messages"] if old and old.updated_at >= now - KEPT_S else []
        chat = Record(
            id=record_id,
            project_id=call.project_id,
            kind=CHAT,
            document={},
            parent_id=role.id,
            app_user_id=call.app_user,
            secrets={"messages": [*before, *new][-2 * ROUNDS :]},
        )
        await steps.put(chat, now)


# --- the answer -------------------------------------------------------------------------------------------


async def answer(call: Call, role: Record, question: str, language: str, history: Sequence[Message]) -> str:
    """What the role answers. A model that fails is apologised for, in the words of a conversation.

    Args:
        language: published name; empty: as the question is written, where the role speaks it.

    Raises:
        ApiError: the model's address may not be called.
    """
    business = _business(role, question, language)
    found = await _recalled(call, business, question)
    turn = Turn(question, business.language, history)
    config_id = role.document.get("llm_config_id", "")
    if role.document["llm_source"] == "LLM_CONFIG" and config_id:
        return await _said(await _model(call, config_id, business, found), turn)
    return await _stored(call, business, found, turn)


def _business(role: Record, question: str, language: str) -> _Business:
    every = role.document.get("role_business_list", [])
    wanted = _spoken(language) or phrases.language_of(question, "zh")
    mine = next((one for one in every if language and one["language"] == language), None)
    mine = mine or next((one for one in every if _spoken(one["language"]) == wanted), None)
    mine = mine or (every[0] if every and not language else {})
    libraries = [
        library_id
        for chosen in mine.get("knowledge_library_list", [])
        for library_id in chosen["knowledge_library_id_list"]
    ]
    return _Business(wanted, mine.get("prompt", ""), tuple(dict.fromkeys(libraries)))


def _spoken(language: str) -> Language | None:
    try:
        return spoken(language)
    except ValueError:
        return None


async def _recalled(call: Call, business: _Business, question: str) -> list[Found]:
    """The best of all libraries of the role, each asked for so many, from so much likeness on, as it was told to."""
    context = call.context
    _, libraries = await records.listing(
        context.database, call.project_id, references.KNOWLEDGE_LIBRARY, Filter(ids=business.libraries), limit=None
    )
    found: list[Found] = []
    for library in libraries:
        least = library.document.get("score", documents.SCORE)
        count = min(library.document.get("topk", documents.TOPK), _FACTS)
        hits = await context.recall.search(context.database, call.project_id, library.id, question, count)
        found += [hit for hit in hits if hit.score >= least]
    return sorted(found, key=lambda hit: -hit.score)[:_FACTS]


async def _model(call: Call, config_id: str, business: _Business, found: Sequence[Found]) -> ModelDialogue:
    record = await records.get(call.context.database, call.project_id, references.LLM_CONFIG, config_id)
    if record is None:
        raise ApiError(ErrorCode.NOT_FOUND, "llm_config_id")
    policy = UrlPolicy(call.context.settings.url_allow)
    url = record.document["llm_url"]
    try:
        await policy.check(url)
    except UrlRefused as error:
        raise ApiError(ErrorCode.LLM_URL_INVALID, str(error)) from None
    endpoint = Endpoint(
        url=url,
        model=record.document.get("model", ""),
        api_key=record.secrets.get("api_key", ""),
        chat_rounds=ROUNDS + 1,  # and the question itself
        system_prompt=_prompt(business, found),
    )
    return ModelDialogue(endpoint, policy)


def _prompt(business: _Business, found: Sequence[Found]) -> str:
    """The role's prompt, with what was recalled; empty: the model gets the usual one."""
    facts = []
    for hit in found:
        item = hit.item
        asked = f"{item.wordings[0]} " if item.question_answer_id else ""
        facts.append(f"- {asked}{item.text[:_FACT_LENGTH]}")
    if not facts:
        return business.prompt
    return "\n".join(one for one in (business.prompt, _FACTS_BEGIN[business.language], *facts) if one)


async def _stored(call: Call, business: _Business, found: Sequence[Found], turn: Turn) -> str:
    """Without a model: the best that was recalled, word for word; without libraries: what visavis knows of itself."""
    settings = call.context.settings
    if business.libraries:
        # A question must be meant, as in a conversation; of a document, whatever its library lets through is an answer.
        good = (hit for hit in found if hit.item.document_id or hit.score >= settings.answer_threshold)
        best = next(good, None)
        return best.item.text if best else phrases.UNKNOWN[turn.language]
    threshold = settings.answer_threshold
    # A question back would need a session that remembers it; so it answers, or says that it does not know.
    index = await call.context.recall.stored(settings.knowledge)
    return await _said(StoredAnswers(index, threshold, threshold), replace(turn, text=turn.text[:_LONGEST_QUESTION]))


async def _said(dialogue: Dialogue, turn: Turn) -> str:
    texts: list[str] = []
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            sentences: Any = dialogue.answer(turn)
            async with aclosing(sentences):
                async for sentence in sentences:
                    texts.append(sentence.text)  # noqa: PERF401 - what came before a time-out counts
    except TimeoutError:
        _log.warning("chat_cut_off", seconds=_TIMEOUT_S, sentences=len(texts))
        texts = texts or [phrases.FAILED[turn.language]]
    finally:
        await dialogue.aclose()
    return ("" if turn.language == "zh" else " ").join(texts)
