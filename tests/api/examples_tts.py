from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import count

import numpy as np
from contract_world import Ask, World, example

from visavis.speech.types import NORMAL, Language, PhonemeTiming, SpeechChunk, Voice, VoiceSettings

_numbers = count()

VOICE = "en-amy"


def _body(world: World) -> dict[str, str]:
    group = world.do("create_ttsc_vocabulary_groups")["id"]
    return {"type": "ALIAS", "key": f"word {next(_numbers)}", "value": "another word", "group_id": group}


@example("create_ttsc_vocabulary_groups")
def _group(world: World) -> Ask:
    return Ask(body={"group_name": "Products"})


@example("update_ttsc_vocabulary_groups")
def _renamed(world: World) -> Ask:
    return Ask(path={"group_id": world.do("create_ttsc_vocabulary_groups")["id"]}, body={"group_name": "Names"})


@example("delete_ttsc_vocabulary_groups")
def _group_deleted(world: World) -> Ask:
    return Ask(path={"group_id": world.do("create_ttsc_vocabulary_groups")["id"]}, query={"offset": 0, "limit": 10})


@example("set_ttsc_group_assets")
def _voices(world: World) -> Ask:
    return Ask(path={"group_id": world.do("create_ttsc_vocabulary_groups")["id"]}, body={"asset_ids": [VOICE]})


@example("list_ttsc_vocabulary_groups")
def _groups(world: World) -> Ask:
    ask = world.ask("set_ttsc_group_assets")
    world.do("set_ttsc_group_assets", ask)
    return Ask(query={"group_id": ask.path["group_id"]})


@example("create_ttsc_vocabulary_configs")
def _entry(world: World) -> Ask:
    return Ask(body=_body(world))


@example("save_ttsc_vocabulary_configs")
def _changed(world: World) -> Ask:
    body = _body(world)
    made = world.do("create_ttsc_vocabulary_configs", Ask(body=body))["id"]
    return Ask(path={"vocabulary_id": made}, body={**body, "value": "yet another"})


@example("delete_ttsc_vocabulary_configs")
def _entries_deleted(world: World) -> Ask:
    return Ask(query={"offset": 0, "limit": 10}, body={"id": [world.do("create_ttsc_vocabulary_configs")["id"]]})


@example("list_ttsc_vocabulary_configs")
def _entries(world: World) -> Ask:
    body = _body(world)
    world.do("create_ttsc_vocabulary_configs", Ask(body=body))
    world.do("set_ttsc_group_assets", Ask(path={"group_id": body["group_id"]}, body={"asset_ids": [VOICE]}))
    query = {"group_id": body["group_id"], "asset_id": VOICE, "type": "ALIAS", "search_key": body["key"].upper()}
    return Ask(query=query)


@example("save_ttsc_tenant_configs")
def _switched(world: World) -> Ask:
    return Ask(body={"id": "vocabulary", "key": "vocabulary", "value": "true"})


@example("show_vocabulary_switch_configs")
def _switch(world: World) -> Ask:
    return Ask(query={"key": "vocabulary"})


@example("create_tts_once_code")
def _code(world: World) -> Ask:
    return Ask()


@example("show_tts_phonetic_symbol")
def _readings(world: World) -> Ask:
    return Ask(query={"word": "record"})


@example("check_voice_asset")
def _voice(world: World) -> Ask:
    why = "voices are built in: they have no files that could be downloaded, and no other provider"
    absent = {"files": why, "asset_extra_meta.voice_model_meta.external_voice_meta": why}
    return Ask(path={"voice_asset_id": VOICE}, absent=absent)


# --- spoken files -----------------------------------------------------------------------------------------


class Tone:
    """A synthesiser that hums: 0.1 s for each character, in chunks of one character."""

    sample_rate = 24_000

    def voices(self) -> Sequence[Voice]:
        return ()

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        for at in range(len(text)):
            start = at / 10
            yield SpeechChunk(np.full(2400, 1000, np.int16), start, (PhonemeTiming("a", start, start + 0.1),))


def _spoken(world: World, name: str, ask: Ask) -> str:
    """A finished job's id."""
    world.context.speaking.make = lambda settings: Tone()
    job_id = str(world.do(name, ask)["job_id"])
    world.run(world.context.speaking.settled())
    return job_id


def _audition(world: World) -> Ask:
    world.context.speaking.make = lambda settings: Tone()
    return Ask(body={"text": "Hello.", "emotion": VOICE, "business_type": "preview"})


def _job(world: World) -> Ask:
    world.context.speaking.make = lambda settings: Tone()
    body = {"text": "Hello.", "voice_asset_id": VOICE, "gen_srt": True, "need_timestamp": True, "channels": 2}
    return Ask(body=body)


example("create_tts_audition")(_audition)
example("create_async_tts_job")(_job)


@example("show_tts_audition_file")
def _heard(world: World) -> Ask:
    job_id = _spoken(world, "create_tts_audition", _audition(world))
    return Ask(path={"job_id": job_id})


@example("show_async_tts_job")
def _done(world: World) -> Ask:
    return Ask(path={"job_id": _spoken(world, "create_async_tts_job", _job(world))})


@example("show_tts_job")
def _jobs(world: World) -> Ask:
    job_id = _spoken(world, "create_async_tts_job", _job(world))
    return Ask(
        query={"job_id": job_id, "job_type": "ASYNC_JOB", "tts_service_enum": "TTS_LAB"},
        absent={"data.websocket_job_id": "there is no synthesis by WebSocket here"},
    )
