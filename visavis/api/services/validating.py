"""Whether a robot would work: what it needs is there, and its language model answers."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from typing import Final

import httpx

from visavis import log
from visavis.api.services import references, spec
from visavis.api.services.briefing import FOLDER
from visavis.api.services.role_briefing import check_answers, role_spec
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.robots import ASSISTANT, CONFIG_OF
from visavis.dialogue.assistant.plugins import Plugin, lacking
from visavis.dialogue.endpoint import Endpoint, ask
from visavis.dialogue.replies import ModelError, Reading, Refused, plain, refusal
from visavis.dialogue.types import Turn
from visavis.session.knowing import plugin_services
from visavis.store import records
from visavis.store.records import Record
from visavis.store.robots import Robot
from visavis.urlpolicy import OPERATORS, UrlPolicy, UrlRefused

_log = log.get(__name__)

TIMEOUT_S: Final = 10.0
"""Within this time a model must have begun to answer."""

_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_QUESTION: Final = Turn("Hello", "en", user_id="visavis", session_id="validate")


async def check(call: Call, robot: Robot) -> None:
    """Try the robot out as far as that is possible without a conversation.

    Raises:
        ApiError: it could hold none; says why.
    """
    told = spec.robot_spec(robot, call.context.settings)
    if told.llm is not None:
        await try_model(Endpoint(**told.llm.model_dump()), _policy(call, told.llm.trusted))
    elif robot.app_type == ASSISTANT:
        await _check_role(call, robot)


async def _check_role(call: Call, robot: Robot) -> None:
    """Without a role the stored answers are given: there is always something."""
    name = CONFIG_OF[ASSISTANT]
    role_id = robot.config(name).get("role_id", "")
    if not role_id:
        return
    role = await _there(call, references.ROLE, role_id)
    if role is None:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}.role_id: names what is not there")
    config_id = role.document.get("llm_config_id", "")
    by_config = role.document["llm_source"] == "LLM_CONFIG"
    if by_config and await _there(call, references.LLM_CONFIG, config_id) is None:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}.role_id: the role's llm_config_id names what is not there")
    settings = call.context.settings
    told = await role_spec(call.context.database, settings, settings.data / FOLDER, role)
    check_answers(told)
    for plugin in told.plugins:
        if why := lacking(Plugin(**plugin.model_dump()), plugin_services(settings)):
            raise ApiError(ErrorCode.ROBOT_UNUSABLE, f"{name}.role_id: the role's plugin_config_list: {why}")
    if told.llm is not None:
        await try_model(Endpoint(**told.llm.model_dump()), _policy(call, told.llm.trusted))


async def _there(call: Call, kind: str, record_id: str) -> Record | None:
    """The record, if it is the third-party user's or nobody's in particular."""
    record = await records.get(call.context.database, call.project_id, kind, record_id)
    theirs = record is not None and (not call.app_user or record.app_user_id in ("", call.app_user))
    return record if theirs else None


def _policy(call: Call, trusted: bool) -> UrlPolicy:
    return OPERATORS if trusted else UrlPolicy(call.context.settings.url_allow)


async def try_model(endpoint: Endpoint, policy: UrlPolicy) -> None:
    """Ask a language model one short question, once.

    Raises:
        ApiError: its address may not be called, or no word came. It quotes nothing that the model said but a code.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await _first_word(endpoint, policy)
        return
    except UrlRefused as error:
        raise ApiError(ErrorCode.LLM_URL_INVALID, str(error)) from None
    except TimeoutError:
        reason, why = f"no answer within {TIMEOUT_S:g} s", "TimeoutError"
    except Refused as error:
        code = error.error_code if _CODE.fullmatch(error.error_code) else ""
        reason, why = f"HTTP {error.status} {code}".strip(), str(error)
    except ModelError as error:
        # Behind the colon stands what the model said.
        reason, why = str(error).partition(":")[0], str(error)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason, why = f"it is not reached ({type(error).__name__})", type(error).__name__
    _log.info("robot_validated_in_vain", reason=why, protocol=endpoint.protocol)
    raise ApiError(ErrorCode.LLM_REPLY_EMPTY, reason)


async def _first_word(endpoint: Endpoint, policy: UrlPolicy) -> None:
    """Raises ModelError, UrlRefused, httpx.HTTPError, httpx.InvalidURL: none came."""
    asked = ask(endpoint, _QUESTION, int(time.time() * 1000))
    until = asyncio.get_running_loop().time() + TIMEOUT_S
    async with (
        policy.client(timeout=TIMEOUT_S) as client,
        client.stream("POST", asked.url, json=asked.body, headers=asked.headers) as response,
    ):
        if not response.is_success:
            raise await refusal(response, time.time(), asked.secrets)
        reading = Reading(response, asked.secrets, first_by=until, next_s=TIMEOUT_S, last_by=until)
        async with aclosing(reading.texts()) as texts:
            async for text in texts:
                if plain(text):
                    return
    raise ModelError("the reply is empty")
