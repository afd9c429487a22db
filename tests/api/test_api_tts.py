"""Vocabularies, pronunciations and voices of speech by itself, through the SDK."""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from contract_world import OTHER, PROJECT, Ask, World, running
from examples_tts import Tone

from visavis.api.services.speaking import KEPT_S, MOST_WAITING, URL_S, Speaking, forget_old
from visavis.speech.types import NORMAL, Language, SpeechChunk, VoiceSettings
from visavis.store import records


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("tts")) as opened:
        yield opened


def ask(world: World, name: str, body: Any = None, path: Any = None, **query: Any) -> Any:
    """The SDK's answer as a dictionary."""
    return world.by_sdk(name, Ask(path=path or {}, query=query, body=body)).to_dict()


def refusal(world: World, name: str, body: Any = None, query: Any = None, **path: str) -> tuple[int, str]:
    answer = world.call(name, Ask(path=path, query=query or {}, body=body))
    return answer.status_code, answer.json().get("error_msg", "")


def group(world: World, name: str = "Products", voices: list[str] | None = None) -> str:
    made = str(ask(world, "create_ttsc_vocabulary_groups", {"group_name": name})["id"])
    if voices is not None:
        assert ask(world, "set_ttsc_group_assets", {"asset_ids": voices}, {"group_id": made})["id"] == made
    return made


def entry(world: World, key: str, value: str = "x", kind: str = "ALIAS", **more: str) -> str:
    body = {"type": kind, "key": key, "value": value, **more}
    return str(ask(world, "create_ttsc_vocabulary_configs", body)["id"])


def words(world: World, **query: Any) -> list[str]:
    answer = ask(world, "list_ttsc_vocabulary_configs", **query)
    assert answer["count"] >= len(answer["data"])
    return [one["key"] for one in answer["data"]]


def test_entries_are_found_by_group_voice_type_and_word(world: World) -> None:
    first, second = group(world, voices=["en-amy", "en-amy", "zh-lin"]), group(world, voices=["zh-lin"])
    entry(world, "GPU card", group_id=first)
    entry(world, "重庆", "chong2 qing4", "CHINESE_G2P", group_id=second)
    entry(world, "nobody's")
    assert words(world, group_id=first) == ["GPU card"]
    assert words(world, asset_id="en-amy") == ["GPU card"]
    assert words(world, asset_id="zh-lin") == ["重庆", "GPU card"]
    assert words(world, asset_id="zh-lin", group_id=second) == ["重庆"]
    assert words(world, asset_id="zh-lin", type="ALIAS") == ["GPU card"]
    assert words(world, asset_id="zh-lin", limit=1, offset=1) == ["GPU card"]
    assert words(world, asset_id="no-such-voice") == []
    assert words(world, search_key="gpu") == ["GPU card"]
    assert words(world, search_key="NOBODY") == ["nobody's"]
    assert words(world, group_id=first, end_time="2020-01-01T00:00:00Z") == []
    (shown,) = ask(world, "list_ttsc_vocabulary_groups", group_id=first)["data"]
    assert shown == {"group_id": first, "group_name": "Products", "asset_ids": ["en-amy", "zh-lin"]}


def test_an_entry_changes_and_moves(world: World) -> None:
    first, second = group(world), group(world)
    one = entry(world, "moving", group_id=first)
    path = {"vocabulary_id": one}
    ask(world, "save_ttsc_vocabulary_configs", {"type": "SAY_AS", "value": "spell", "group_id": second}, path)
    assert words(world, group_id=first) == []
    (shown,) = ask(world, "list_ttsc_vocabulary_configs", group_id=second)["data"]
    assert {name: shown[name] for name in ("id", "type", "key", "value")} == {
        "id": one,
        "type": "SAY_AS",
        "key": "moving",
        "value": "spell",
    }
    ask(world, "save_ttsc_vocabulary_configs", {"type": "SAY_AS", "group_id": ""}, path)
    assert words(world, group_id=second) == []
    assert words(world, search_key="moving") == ["moving"]


def test_a_group_has_each_word_once(world: World) -> None:
    first, second = group(world), group(world)
    entry(world, "twice", group_id=first)
    other = entry(world, "twice", group_id=second)
    body = {"type": "ALIAS", "key": "twice", "value": "x", "group_id": first}
    assert refusal(world, "create_ttsc_vocabulary_configs", body)[0] == 409
    assert refusal(world, "save_ttsc_vocabulary_configs", body, vocabulary_id=other)[0] == 409
    assert words(world, group_id=second) == ["twice"]


def test_a_group_goes_with_its_entries_and_with_no_others(world: World) -> None:
    first, second = group(world), group(world)
    entry(world, "gone", group_id=first)
    entry(world, "kept", group_id=second)
    world.call("delete_ttsc_vocabulary_groups", Ask(path={"group_id": first}), project=OTHER)
    assert words(world, group_id=first) == ["gone"]
    for _ in range(2):
        ask(world, "delete_ttsc_vocabulary_groups", path={"group_id": first})
    assert words(world, search_key="gone") == []
    assert words(world, group_id=second) == ["kept"]
    body = {"type": "ALIAS", "key": "late", "value": "x", "group_id": first}
    assert refusal(world, "create_ttsc_vocabulary_configs", body) == (
        400,
        "Invalid parameter: group_id: names what is not there",
    )


def test_only_the_named_entries_are_deleted(world: World) -> None:
    mine = group(world)
    one, two, _ = (entry(world, key, group_id=mine) for key in ("one", "two", "three"))
    ask(world, "delete_ttsc_vocabulary_configs", {"id": [one, two, "unknown"]})
    assert words(world, group_id=mine) == ["three"]


@pytest.mark.parametrize(
    ("kind", "key", "value", "wrong"),
    [
        ("CHINESE_G2P", "银行", "yin2 hang2", ""),
        ("CHINESE_G2P", "旅行", "lǚxíng", ""),
        ("CHINESE_G2P", "bank", "yin2 hang2", "key"),
        ("CHINESE_G2P", "银行", "银航", "value"),
        ("PHONETIC_SYMBOL", "record", "ˈrekɔːrd", ""),
        ("PHONETIC_SYMBOL", "record", "记录", "value"),
        ("PHONETIC_SYMBOL", "记录", "ˈrekɔːrd", "key"),
        ("CONTINUUM", "New York", "", ""),
        ("ALIAS", "AI", "", "value"),
        ("ALIAS", " ", "x", "key"),
        ("SAY_AS", "2024", "telephone", ""),
        ("SAY_AS", "2024", "poem", "value"),
    ],
)
def test_a_reading_must_fit_its_type(world: World, kind: str, key: str, value: str, wrong: str) -> None:
    body = {"type": kind, "key": key, "value": value, "group_id": group(world)}
    answer = world.call("create_ttsc_vocabulary_configs", Ask(body=body))
    assert answer.status_code == (400 if wrong else 200), answer.text
    if wrong:
        assert f"Invalid parameter: {wrong}:" in answer.json()["error_msg"]


def test_a_changed_type_is_checked_against_the_value_that_stays(world: World) -> None:
    one = entry(world, "stays", "poem", group_id=group(world))
    status, message = refusal(world, "save_ttsc_vocabulary_configs", {"type": "SAY_AS"}, vocabulary_id=one)
    assert (status, "value" in message) == (400, True)


def test_a_group_takes_only_voices_that_are_here(world: World) -> None:
    mine = group(world, voices=["en-amy"])
    status, message = refusal(world, "set_ttsc_group_assets", {"asset_ids": ["zh-lin", "anny"]}, group_id=mine)
    assert (status, "anny" in message) == (400, True)
    ask(world, "update_ttsc_vocabulary_groups", {"group_name": "Renamed"}, {"group_id": mine})
    (shown,) = ask(world, "list_ttsc_vocabulary_groups", group_id=mine)["data"]
    assert (shown["group_name"], shown["asset_ids"]) == ("Renamed", ["en-amy"])
    ask(world, "set_ttsc_group_assets", {"asset_ids": []}, {"group_id": mine})
    assert ask(world, "list_ttsc_vocabulary_groups", group_id=mine)["data"][0]["asset_ids"] == []


def test_the_switch_is_off_until_it_is_turned_on(world: World) -> None:
    def shown(**query: Any) -> list[str]:
        return [one["value"] for one in ask(world, "show_vocabulary_switch_configs", **query)["data"]]

    assert shown() == ["false"]
    ask(world, "save_ttsc_tenant_configs", {"key": "vocabulary", "value": "true"})
    assert shown(key="vocabulary") == ["true"]
    assert shown(key="another") == []
    other = world.call("show_vocabulary_switch_configs", Ask(), project=OTHER).json()
    assert [one["value"] for one in other["data"]] == ["false"]
    body = {"id": "another", "key": "vocabulary", "value": "false"}
    assert refusal(world, "save_ttsc_tenant_configs", body)[0] == 404
    assert shown() == ["true"]


def test_pronunciations(world: World) -> None:
    def read(word: str, **page: int) -> list[str]:
        return list(ask(world, "show_tts_phonetic_symbol", word=word, **page)["data"])

    assert read("record") == ["ɹˈɛkəɹd", "ɹəkˈɔɹd"]
    assert read("record", offset=1, limit=1) == ["ɹəkˈɔɹd"]
    assert read("hello") == ["həlˈoʊ"]
    assert read("judge") == ["dʒˈʌdʒ"]
    (guess,) = read("xyzzyish")
    assert guess.startswith("z")
    for word in ("两个", "two words", "42"):
        assert refusal(world, "show_tts_phonetic_symbol", query={"word": word})[0] == 400


def test_voices_that_are_here_and_that_are_not(world: World) -> None:
    for voice, language, sex in (("en-amy", "EN", "FEMALE"), ("zh-lin", "CN", "MALE"), ("default", "CN", "FEMALE")):
        answer = ask(world, "check_voice_asset", path={"voice_asset_id": voice})
        meta = answer["asset_extra_meta"]["voice_model_meta"]
        assert (answer["asset_id"], answer["asset_state"]) == (voice, "ACTIVED")
        assert (meta["language"], meta["sex"]) == (language, sex)
    status, _ = refusal(world, "check_voice_asset", voice_asset_id="anny")
    assert status == 404


def test_a_code_works_once(world: World) -> None:
    code = ask(world, "create_tts_once_code")["once_code"]
    body = {"project_id": PROJECT, "room_id": world.room(), "robot_id": world.robot()}
    answers = [world.http.post("/page/v1/sessions", json=body, headers={"X-Once-Code": code}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401], answers[0].text


# --- spoken files -----------------------------------------------------------------------------------------


def spoken(world: World, **more: Any) -> tuple[str, Any]:
    """A finished job: (its id, its answer)."""
    world.context.speaking.make = lambda settings: Tone()
    job_id = ask(world, "create_async_tts_job", {"text": "Hello.", "voice_asset_id": "en-amy", **more})["job_id"]
    world.run(world.context.speaking.settled())
    return job_id, ask(world, "show_async_tts_job", path={"job_id": job_id})


def fetch(world: World, url: str) -> httpx.Response:
    """Without any credentials."""
    return httpx.get(url, timeout=20)


def test_a_text_becomes_sound_subtitles_and_time_stamps(world: World) -> None:
    text = "<speak>Hello there. How are you?</speak>"
    _, job = spoken(world, text=text, channels=2, gen_srt=True, need_timestamp=True, srt_len=8)
    assert (job["state"], job["code"], job["message"]) == ("SUCCEED", "MSS.00000000", "")
    with wave.open(io.BytesIO(fetch(world, job["audio_file_url"]).content)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (2, 24_000, 2)
        assert sound.getnframes() == 24_000 * 24 // 10
        assert set(np.frombuffer(sound.readframes(-1), "<i2")) == {1000}
    assert fetch(world, job["audio_srt_file_url"]).text.splitlines() == [
        *("1", "00:00:00,000 --> 00:00:00,545", "Hello", ""),
        *("2", "00:00:00,545 --> 00:00:01,200", "there.", ""),
        *("3", "00:00:01,200 --> 00:00:01,964", "How are", ""),
        *("4", "00:00:01,964 --> 00:00:02,400", "you?"),
    ]
    first, second = fetch(world, job["audio_info_file_url"]).json()["sentences"]
    assert (first["text"], first["start_ms"], first["end_ms"]) == ("Hello there.", 0, 1200)
    assert (second["text"], second["start_ms"], second["end_ms"]) == ("How are you?", 1200, 2400)
    assert second["phonemes"][1] == {"phoneme": "a", "start_ms": 1300, "end_ms": 1400}


def test_only_what_was_asked_for_is_made(world: World) -> None:
    _, job = spoken(world, tts_text="Hi.")
    assert (job["audio_srt_file_url"], job["audio_info_file_url"]) == ("", "")
    with wave.open(io.BytesIO(fetch(world, job["audio_file_url"]).content)) as sound:
        assert (sound.getnchannels(), sound.getnframes()) == (1, 3 * 2400)


def test_an_audition_has_one_file(world: World) -> None:
    world.context.speaking.make = lambda settings: Tone()
    made = ask(world, "create_tts_audition", {"text": "Hello.", "emotion": "default"})["job_id"]
    world.run(world.context.speaking.settled())
    shown = ask(world, "show_tts_audition_file", path={"job_id": made})
    assert (shown["is_file_complete"], shown["message"]) == (True, "")
    (file,) = shown["files"]
    answer = fetch(world, file["download_url"])
    assert (answer.status_code, answer.content[:4]) == (200, b"RIFF")
    assert refusal(world, "show_async_tts_job", job_id=made)[0] == 404


def test_a_url_serves_one_file_for_an_hour(world: World) -> None:
    _, job = spoken(world, gen_srt=True)
    url = job["audio_file_url"]
    for wrong in (url[:-8], url.replace("audio.wav", "audio.srt"), url.replace("audio.wav", "..%2Faudio.wav")):
        assert fetch(world, wrong).status_code in (401, 404)
    assert fetch(world, url).status_code == 200
    context, clock = world.context, world.context.clock
    for later, status in ((URL_S - 60, 200), (URL_S + 60, 401)):
        object.__setattr__(context, "clock", lambda later=later: clock() + later)
        try:
            assert fetch(world, url).status_code == status
        finally:
            object.__setattr__(context, "clock", clock)


def test_what_cannot_be_made_is_refused_or_fails(world: World) -> None:
    body = {"text": "Hello.", "voice_asset_id": "en-amy"}
    for more in (
        {"audio_format": "MP3"},
        {"callback_config": {"callback_url": "https://a.example"}},
        {"output_external_url": "https://a.example"},
        {"voice_asset_id": "nobody"},
    ):
        status, message = refusal(world, "create_async_tts_job", {**body, **more})
        assert (status, next(iter(more)) in message) == (400, True)
    _, job = spoken(world, text="<break/>")
    assert (job["state"], job["audio_file_url"]) == ("FAILED", "")
    assert "nothing" in job["message"]


class Held(Tone):
    """Hums once it may."""

    def __init__(self) -> None:
        self.may = threading.Event()

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        await asyncio.to_thread(self.may.wait, 20)
        async for chunk in Tone.say(self, text, voice, language, settings):
            yield chunk


def test_so_many_may_wait_and_all_are_done_in_the_end(world: World) -> None:
    held, before = Held(), world.context.speaking
    object.__setattr__(world.context, "speaking", Speaking(lambda settings: held))
    try:
        body = {"text": "A.", "emotion": "en-amy", "business_type": "crowd"}
        for _ in range(MOST_WAITING):
            world.do("create_tts_audition", Ask(body=body))
        assert refusal(world, "create_tts_audition", body)[0] == 409
        first = world.do("show_tts_job", Ask(query={"business_type": "crowd"}))
        assert {job["job_state"] for job in first["data"]} <= {"WAITING", "PROCESSING"}
        held.may.set()
        world.run(world.context.speaking.settled())
        last = world.do("show_tts_job", Ask(query={"business_type": "crowd", "limit": 100}))
        assert (last["count"], {job["job_state"] for job in last["data"]}) == (MOST_WAITING, {"SUCCEED"})
    finally:
        held.may.set()
        object.__setattr__(world.context, "speaking", before)


def test_a_restart_takes_up_what_was_left(world: World) -> None:
    held, before = Held(), world.context.speaking
    object.__setattr__(world.context, "speaking", Speaking(lambda settings: held))
    try:
        made = world.do("create_tts_audition", Ask(body={"text": "A.", "emotion": "en-amy"}))["job_id"]
        world.run(world.context.speaking.close())
        held.may.set()
        shown = world.do("show_tts_audition_file", Ask(path={"job_id": made}))
        assert (shown["is_file_complete"], shown["files"]) == (False, [])
        again = Speaking(lambda settings: Tone())
        world.run(again.resume(world.context))
        world.run(again.settled())
        assert world.do("show_tts_audition_file", Ask(path={"job_id": made}))["files"]
    finally:
        held.may.set()
        object.__setattr__(world.context, "speaking", before)


def test_texts_are_not_kept_and_old_jobs_go(world: World) -> None:
    job_id, job = spoken(world, text="A secret text.")
    record = world.run(records.get(world.context.database, PROJECT, "tts_job", job_id))
    assert "secret" not in str(record.document)
    folder = Path(world.context.settings.data) / "speech" / job_id
    assert folder.is_dir()
    context = world.context
    # A signed request would be too late by then: the service is asked itself.
    world.run(forget_old(context.settings, context.database, PROJECT, context.clock() + KEPT_S - 60))
    assert folder.is_dir()
    world.run(forget_old(context.settings, context.database, PROJECT, context.clock() + KEPT_S + 60))
    assert not folder.exists()
    assert refusal(world, "show_async_tts_job", job_id=job_id)[0] == 404
    assert fetch(world, job["audio_file_url"]).status_code == 401
