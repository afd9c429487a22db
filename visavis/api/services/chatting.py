"""What a role answers in writing: the same assistant that speaks, and what was said before in the same session."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from visavis import log
from visavis.api.services import references
from visavis.api.services.briefing import FOLDER
from visavis.api.services.role_briefing import role_spec
from visavis.api.skeleton import Call
from visavis.contract.base import spoken
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dialogue import phrases
from visavis.dialogue.types import Dialogue, Message, Turn
from visavis.session.roles import role_of
from visavis.session.spec import RoleSpec
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
_TIMEOUT_S: Final = 60.0


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


async def answer(
    call: Call, role: Record, session_id: str, question: str, language: str, history: Sequence[Message]
) -> str:
    """What the role answers, as it would in a conversation. A model that fails is apologised for in its words.

    Args:
        language: published name; empty: as the question is written.

    Raises:
        ApiError: the model's address may not be called, or what the role names is not there.
    """
    context = call.context
    settings = context.settings
    told = await role_spec(context.database, settings, settings.data / FOLDER, role, chat_rounds=ROUNDS + 1)
    if told.llm is not None and not told.llm.trusted:
        try:
            await UrlPolicy(settings.url_allow).check(told.llm.url)
        except UrlRefused as error:
            raise ApiError(ErrorCode.LLM_URL_INVALID, str(error)) from None
    spoken_in = _spoken(language) or phrases.language_of(question, "zh")
    conversation = _session_id(call, role, session_id)
    made_of = await asyncio.to_thread(_made_of, told)
    async with context.chats.borrow(
        (call.project_id, conversation),
        made_of,
        lambda: context.recall.dialogues(settings).create(None, settings.knowledge, role=role_of(told)),
    ) as dialogue:
        return await _said(dialogue, Turn(question, spoken_in, history, call.app_user, conversation))


def _made_of(role: RoleSpec) -> str:
    """What changes with the role and with any of its libraries."""
    files = [one.file for some in role.libraries.values() for one in some]
    times = [Path(file).stat().st_mtime_ns for file in files]
    return hashlib.sha256(f"{role.model_dump_json()}{times}".encode()).hexdigest()


def _spoken(language: str) -> Language | None:
    try:
        return spoken(language)
    except ValueError:
        return None


async def _said(dialogue: Dialogue, turn: Turn) -> str:
    texts: list[str] = []
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            sentences: Any = dialogue.answer(turn)
            async with aclosing(sentences):
                async for sentence in sentences:
                    if sentence.purpose != "filler":  # nobody sits and listens
                        texts.append(sentence.text)  # noqa: PERF401 - what came before a time-out counts
    except TimeoutError:
        _log.warning("chat_cut_off", seconds=_TIMEOUT_S, sentences=len(texts))
        texts = texts or [phrases.FAILED[turn.language]]
    return ("" if turn.language == "zh" else " ").join(texts)
