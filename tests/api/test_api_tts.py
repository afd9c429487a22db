"""Vocabularies, pronunciations and voices of speech by itself, through the SDK."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soxr
from contract_world import OTHER, PROJECT, Ask, World, running
from examples_tts import Tone

from visavis.api.services import wordlists
from visavis.api.services.speaking import KEPT_S, MOST_WAITING, URL_S, Speaking, forget_old
from visavis.settings import Settings
from visavis.speech.cache import CachedSynthesiser
from visavis.speech.embedded import EmbeddedSynthesiser
from visavis.speech.lexicon import load
from visavis.speech.models import assemble
from visavis.speech.types import NORMAL, Language, SpeechChunk, VoiceSettings
from visavis.speech.whisper import WhisperRecogniser
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
        ("CHINESE_G2P", "重庆", "chong2", "value"),
        ("CHINESE_G2P", "重庆", "chong6 qing4", "value"),
        ("CHINESE_G2P", "卡拉OK", "ka3 la1 ou1 kei4", ""),
        ("PHONETIC_SYMBOL", "record", "/ˈrekərd/", ""),
        ("PHONETIC_SYMBOL", "record", "R EH1 K", "value"),
        ("SAY_AS", "soon", "date", "value"),
        ("SAY_AS", "12", "english", "value"),
        ("SAY_AS", "GPU", "spell", ""),
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


# --- other readings ---------------------------------------------------------------------------------------


class Reads(Tone):
    """Hums, and remembers what it was to say and how words of it are to be read."""

    def __init__(self) -> None:
        self.said: list[tuple[str, list[tuple[str, str, str]], int]] = []

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        read = [(one.word, one.kind, one.value) for one in settings.readings]
        assert all(text[one.start : one.end] == one.word for one in settings.readings)
        self.said.append((text, read, settings.speed))
        async for chunk in Tone.say(self, text, voice, language, settings):
            yield chunk


@pytest.fixture
def reader(world: World) -> Iterator[Reads]:
    """The only synthesiser while the test runs; the project begins without words, its switch is off."""
    heard, before = Reads(), world.context.speaking
    object.__setattr__(world.context, "speaking", Speaking(lambda settings: heard))
    for one in ask(world, "list_ttsc_vocabulary_groups")["data"]:
        ask(world, "delete_ttsc_vocabulary_groups", path={"group_id": one["group_id"]})
    while ids := [one["id"] for one in ask(world, "list_ttsc_vocabulary_configs")["data"]]:
        ask(world, "delete_ttsc_vocabulary_configs", {"id": ids})
    ask(world, "save_ttsc_tenant_configs", {"key": "vocabulary", "value": "false"})
    yield heard
    object.__setattr__(world.context, "speaking", before)


def aloud(world: World, name: str = "create_async_tts_job", headers: Any = None, **body: Any) -> str:
    voice = "emotion" if name == "create_tts_audition" else "voice_asset_id"
    made = world.by_sdk(name, Ask(body={voice: "en-amy", **body}, headers=headers or {})).job_id
    world.run(world.context.speaking.settled())
    return str(made)


@pytest.mark.parametrize("name", ["create_async_tts_job", "create_tts_audition"])
def test_the_words_of_a_voice_are_read_as_its_vocabularies_say(world: World, reader: Reads, name: str) -> None:
    mine, others = group(world, voices=["en-amy"]), group(world, voices=["zh-lin"])
    entry(world, "重庆", "chong2 qing4", "CHINESE_G2P", group_id=mine)
    entry(world, "gif", "/dʒɪf/", "PHONETIC_SYMBOL", group_id=mine)
    entry(world, "New York", "", "CONTINUUM", group_id=mine)
    entry(world, "110", "telephone", "SAY_AS", group_id=mine)
    entry(world, "CEO", "chief executive")
    entry(world, "gif", "other", group_id=others)
    text = "The CEO of New York sent a GIF of 重庆, call 110."
    aloud(world, name, text=text, is_vocabulary_config_enable=True)
    expected = [
        ("CEO", "alias", "chief executive"),
        ("New York", "linked", ""),
        ("GIF", "ipa", "/dʒɪf/"),
        ("重庆", "pinyin", "chong2 qing4"),
        ("110", "say-as", "telephone"),
    ]
    assert reader.said == [(text, expected, 100)]


def test_the_request_decides_and_else_the_projects_switch(world: World, reader: Reads) -> None:
    entry(world, "CEO", "chief executive")

    def is_read(**more: Any) -> bool:
        reader.said.clear()
        aloud(world, text="Our CEO.", **more)
        return bool(reader.said[0][1])

    assert not is_read()
    assert is_read(is_vocabulary_config_enable=True)
    ask(world, "save_ttsc_tenant_configs", {"key": "vocabulary", "value": "true"})
    assert is_read()
    assert not is_read(is_vocabulary_config_enable=False)


def test_third_party_users_words_are_theirs(world: World, reader: Reads) -> None:
    entry(world, "CEO", "chief executive")
    body = {"type": "ALIAS", "key": "CEO", "value": "boss"}
    world.by_sdk("create_ttsc_vocabulary_configs", Ask(body=body, headers={"X-App-UserId": "anna"}))
    for user, value in (("", "chief executive"), ("anna", "boss"), ("bert", "chief executive")):
        headers = {"X-App-UserId": user} if user else {}
        aloud(world, headers=headers, text="CEO.", is_vocabulary_config_enable=True)
        assert reader.said[-1][1] == [("CEO", "alias", value)], user


def test_of_two_groups_the_entry_counts_that_was_changed_last(world: World, reader: Reads) -> None:
    first, second = group(world, voices=["en-amy"]), group(world, voices=["en-amy"])
    older = entry(world, "CEO", "first", group_id=first)
    entry(world, "CEO", "second", group_id=second)
    aloud(world, text="CEO.", is_vocabulary_config_enable=True)
    ask(world, "save_ttsc_vocabulary_configs", {"type": "ALIAS", "value": "third"}, {"vocabulary_id": older})
    aloud(world, text="CEO.", is_vocabulary_config_enable=True)
    assert [read[0][2] for _, read, _ in reader.said] == ["second", "third"]


def test_of_too_many_words_the_ones_changed_last_count(
    world: World, reader: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordlists, "MOST_WORDS", 2)
    for key in ("one", "two", "three"):
        entry(world, key, "x")
    aloud(world, text="One two three.", is_vocabulary_config_enable=True)
    assert [word for word, _, _ in reader.said[0][1]] == ["two", "three"]


def test_subtitles_and_times_show_what_was_written(world: World, reader: Reads) -> None:
    entry(world, "CEO", "chief executive officer")
    body = {"text": "Our CEO is here. Hello!", "gen_srt": True, "need_timestamp": True}
    job = aloud(world, **body, is_vocabulary_config_enable=True)
    shown = ask(world, "show_async_tts_job", path={"job_id": job})
    subtitles = fetch(world, shown["audio_srt_file_url"]).text
    assert "Our CEO is here." in subtitles
    assert "chief" not in subtitles
    assert [one["text"] for one in fetch(world, shown["audio_info_file_url"]).json()["sentences"]] == [
        "Our CEO is here.",
        "Hello!",
    ]
    job = aloud(
        world, text="欢迎来重庆。", tts_text='<speak>欢迎来<phoneme ph="chong2">重</phoneme>庆。</speak>', gen_srt=True
    )
    shown = ask(world, "show_async_tts_job", path={"job_id": job})
    assert "欢迎来重庆。" in fetch(world, shown["audio_srt_file_url"]).text
    assert reader.said[-1][:2] == ("欢迎来重庆。", [("重", "pinyin", "chong2")])


def test_tags_change_the_reading_the_speed_and_the_pauses(world: World, reader: Reads) -> None:
    entry(world, "重庆", "zhong4 qing4", "CHINESE_G2P")
    text = (
        '<speak>我在<phoneme ph="chong2">重</phoneme>庆。<break time="500ms"/>'
        '<prosody rate="150%">AI 在重庆。</prosody></speak>'
    )
    job = aloud(world, text=text, is_vocabulary_config_enable=True, speed=80, need_timestamp=True)
    assert reader.said == [
        ("我在重庆。", [("重", "pinyin", "chong2")], 80),
        ("AI 在重庆。", [("重庆", "pinyin", "zhong4 qing4")], 120),
    ]
    shown = ask(world, "show_async_tts_job", path={"job_id": job})
    first, second = fetch(world, shown["audio_info_file_url"]).json()["sentences"]
    assert second["start_ms"] - first["end_ms"] == 500
    with wave.open(io.BytesIO(fetch(world, shown["audio_file_url"]).content)) as sound:
        assert sound.getnframes() / 24 == second["end_ms"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<phoneme ph="chong9">重</phoneme>', "text: <phoneme>"),
        ('<say-as interpret-as="poem">1</say-as>', "text: <say-as>"),
        ('<break time="1h"/>', "text: <break>"),
    ],
)
def test_tags_that_cannot_be_read_are_refused(world: World, text: str, reason: str) -> None:
    for name, voice in (("create_async_tts_job", "voice_asset_id"), ("create_tts_audition", "emotion")):
        status, message = refusal(world, name, {"text": text, voice: "en-amy"})
        assert (status, reason in message) == (400, True), message


def test_a_job_reads_by_the_vocabulary_of_its_time(world: World, reader: Reads) -> None:
    one = entry(world, "CEO", "chief executive")
    world.context.speaking.start = lambda *_: None
    body = {"text": "Our CEO.", "voice_asset_id": "en-amy", "is_vocabulary_config_enable": True}
    made = ask(world, "create_async_tts_job", body)["job_id"]
    ask(world, "delete_ttsc_vocabulary_configs", {"id": [one]})
    del world.context.speaking.start
    world.run(world.context.speaking.resume(world.context))
    world.run(world.context.speaking.settled())
    assert ("Our CEO.", [("CEO", "alias", "chief executive")], 100) in reader.said
    kept = world.run(records.get(world.context.database, PROJECT, "tts_job", made)).document
    assert (kept["text"], kept["lexicon"]) == ("", "")


@pytest.mark.models
@pytest.mark.parametrize("name", ["create_async_tts_job", "create_tts_audition"])
def test_what_is_spoken_is_heard_to_differ(world: World, reader: Reads, real: Real, name: str) -> None:
    """By the real voices and the real recogniser, in both languages."""
    world.context.speaking.make = lambda settings: real.synthesiser
    mine = group(world, voices=["default"])
    entry(world, "苹果", "xiang1 jiao1", "CHINESE_G2P", group_id=mine)
    entry(world, "apple", "/bəˈnænə/", "PHONETIC_SYMBOL", group_id=mine)

    def heard(text: str, language: Language, wanted: bool) -> str:
        voice = {"emotion" if name == "create_tts_audition" else "voice_asset_id": "default"}
        made = world.by_sdk(name, Ask(body={"text": text, "is_vocabulary_config_enable": wanted, **voice})).job_id
        for _ in range(5):  # of 20 s each: Mandarin takes its time on a busy machine
            with contextlib.suppress(TimeoutError):
                world.run(world.context.speaking.settled())
                break
        if name == "create_tts_audition":
            url = ask(world, "show_tts_audition_file", path={"job_id": made})["files"][0]["download_url"]
        else:
            url = ask(world, "show_async_tts_job", path={"job_id": made})["audio_file_url"]
        return real.hear(fetch(world, url).content, language)

    for text, language, word, reading in (
        ("今天我想吃苹果。", "zh", "苹果", "香蕉"),
        ("I ate the apple this morning.", "en", "apple", "banana"),
    ):
        without, read = heard(text, language, False), heard(text, language, True)
        assert (word in without, reading in without) == (True, False), without
        assert (word in read, reading in read) == (False, True), read


class Real:
    """The embedded voices and the embedded recogniser; what was said or heard once is not made again."""

    def __init__(self, folder: Path) -> None:
        models_dir = assemble(Settings().models_dir)
        self.synthesiser = CachedSynthesiser(EmbeddedSynthesiser(models_dir), folder)
        self.recogniser = WhisperRecogniser(models_dir)
        self._heard: dict[bytes, str] = {}

    def hear(self, content: bytes, language: Language) -> str:
        """What a WAV file says, in small letters."""
        if content not in self._heard:
            with wave.open(io.BytesIO(content)) as sound:
                pcm = np.concatenate([np.frombuffer(sound.readframes(-1), "<i2"), np.zeros(6000, np.int16)])
            at_16k = soxr.resample(pcm, 24_000, 16_000).astype(np.int16)
            self._heard[content] = asyncio.run(self.recogniser.transcribe(at_16k, language)).text.lower()
        return self._heard[content]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    engines = Real(tmp_path_factory.mktemp("said"))
    yield engines
    engines.synthesiser.close()
    engines.recogniser.close()


# --- conversations ----------------------------------------------------------------------------------------


def started(world: World, room_id: str, **headers: str) -> Any:
    """What the worker of a new job is told of the voices."""
    ask_for = Ask(path={"room_id": room_id}, body={}, headers=headers)
    job_id = world.by_sdk("start_smart_chat_job", ask_for).job_id
    return world.dispatcher.specs[job_id].voices


def test_a_rooms_voices_come_with_their_words(world: World, reader: Reads) -> None:
    mine = group(world, voices=["zh-lin"])
    entry(world, "重庆", "chong2 qing4", "CHINESE_G2P", group_id=mine)
    voices = [{"voice_asset_id": voice, "language": tongue} for voice, tongue in (("zh-lin", "CN"), ("en-amy", "EN"))]
    video = {"width": 720, "height": 1280, "bitrate": 3000}

    def words(room: str, **headers: str) -> list[list[str]]:
        found = started(world, room, **headers)
        assert [voice.voice_id for voice in found] == ["zh-lin", "en-amy"]
        return [[one.value for one in load(Path(voice.lexicon)).entries] if voice.lexicon else [] for voice in found]

    silent = world.room(voice_config_list=voices, concurrency=8)
    assert words(silent) == [[], []], "the project's switch is off"
    wants = world.room(voice_config_list=voices, video_config={**video, "is_vocabulary_config_enable": True})
    assert words(wants) == [["chong2 qing4"], []]
    ask(world, "save_ttsc_tenant_configs", {"key": "vocabulary", "value": "true"})
    assert words(silent) == [["chong2 qing4"], []]
    entry(world, "CEO", "boss")
    assert [sorted(one) for one in words(silent)] == [["boss", "chong2 qing4"], ["boss"]]
    refuses = world.room(voice_config_list=voices, video_config={**video, "is_vocabulary_config_enable": False})
    assert words(refuses) == [[], []]
