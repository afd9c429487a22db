"""The parts of ``visavis bench response`` that need no browser: what is heard, seen, planned and counted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from visavis.bench.response import judging, model, report, server
from visavis.bench.response.hearing import BLOCK, RATE, Heard, page_clock
from visavis.bench.response.mouth import COLUMNS, ROWS, Eye, lasting
from visavis.bench.response.plan import EVENT_AT_S, choose, plan
from visavis.bench.response.recordings import SHIPPED, Recording, load
from visavis.bench.response.report import Judged, figures, gaps, share, split, spread
from visavis.bench.response.turns import Exchange
from visavis.dialogue.knowledge import load as load_knowledge
from visavis.session import ahead

MS = RATE // 1000
NO_PICTURES = np.zeros((0, 2))


def heard(*parts: tuple[float, int]) -> Heard:
    """Peaks for so many milliseconds each, from frame 1000 on."""
    return Heard(1000, np.concatenate([np.full(ms // 5, peak, np.float32) for peak, ms in parts]))


def test_a_voice_begins_with_its_first_loud_block() -> None:
    sound = heard((0.0, 500), (0.3, 200), (0.0, 300), (0.2, 100))
    assert sound.begins(0) == 1000 + 500 * MS
    assert sound.begins(1000 + 800 * MS) == 1000 + 1000 * MS
    assert sound.begins(1000 + 1100 * MS) is None


def test_a_click_and_faint_noise_are_no_voice() -> None:
    assert heard((0.0, 100), (0.9, 10), (0.0, 400), (0.005, 500)).begins(0) is None
    assert heard((0.0, 100), (0.9, 10), (0.0, 400), (0.3, 50)).begins(0) == 1000 + 510 * MS


def test_silence_begins_after_the_last_loud_block_before_it() -> None:
    sound = heard((0.3, 400), (0.0, 250), (0.3, 100), (0.0, 900))
    assert sound.silent(0, 0.2) == 1000 + 400 * MS
    assert sound.silent(0, 0.7) == 1000 + 750 * MS
    assert sound.silent(1000 + 500 * MS, 0.1) == 1000 + 500 * MS
    assert sound.silent(0, 1.0) is None
    assert sound.sounds(1000, 1000 + 400 * MS)
    assert not sound.sounds(1000 + 400 * MS, 1000 + 650 * MS)


def test_the_page_s_clock_is_told_by_the_quickest_messages() -> None:
    frames = np.arange(0, 200 * BLOCK, BLOCK)
    late = np.where(np.arange(200) % 3 == 0, 0.0, 25.0)
    assert page_clock(np.stack([frames, 500 + frames / MS + late], 1)) == pytest.approx(500)


def face(opening: int, shift: int = 0) -> Any:
    """A mouth: dark lips on a textured face, and between them ``opening`` rows of darkness; the head moved by ``shift``."""
    rng = np.random.default_rng(5)
    big = rng.integers(140, 160, (ROWS + 40, COLUMNS + 40)).astype(np.uint8)
    middle = big.shape[0] // 2
    big[middle - 3 - opening : middle + 3 + opening, 30:-30] = 110
    big[middle - opening : middle + opening, 34:-34] = 20
    return big[20 + shift : 20 + shift + ROWS, 20 + shift : 20 + shift + COLUMNS]


def test_the_mouth_is_closed_when_it_is_again_as_at_rest_wherever_the_head_is() -> None:
    eye = Eye(0, 0, 1, 1)
    openings = [0] * 20 + [6] * 10 + [0] * 7 + [8] * 6 + [0] * 20
    shifts = [0] * 20 + [5] * 43
    mouths = np.stack([face(*each) for each in zip(openings, shifts, strict=True)])
    times = np.arange(len(openings)) * 40.0
    # It opens at picture 20; seven closed pictures at 30 are the end of a sentence; it is closed for good from 43 on.
    assert eye.closed(times, mouths, 25 * 40.0, 20) == 43 * 40.0
    assert eye.closed(times[:50], mouths[:50], 25 * 40.0, 20) is None
    assert eye.closed(times, mouths, 25 * 40.0, 3) is None, "nothing to compare with"


def test_closed_must_last() -> None:
    times = np.arange(10) * 40.0
    shut = np.array([1, 1, 1, 0, 1, 1, 1, 1, 1, 1], bool)
    assert lasting(times, shut, 200) == 160
    assert lasting(times, shut, 240) is None


def test_percentiles_are_values_that_were_measured() -> None:
    assert spread([5.0, 1.0, 2.0, 3.0, 4.0]) == {"p50": 3.0, "p95": 5.0}
    assert spread([]) == {"p50": None, "p95": None}
    assert share([True, False, False, False]) == 0.25
    assert share([]) is None


def test_parts_of_the_response_add_up_and_speculation_costs_nothing() -> None:
    stages = {"endpoint": 0.2, "recognise": 0.35, "turn": 0.5, "answer": 0.51, "speak": 0.52, "play": 0.56}
    parts = split(stages, 700.0)
    assert parts == {
        "endpointing": 350.0, "recognition": 150.0, "dialogue": 10.0, "synthesis": 10.0, "stage": 40.0,
        "network and jitter buffer": 140.0,
    }  # fmt: skip
    # The browser learned at 640 ms that sound is sent: the server had heard the end 80 ms late.
    assert split(stages, 700.0, 640.0)["endpointing"] == 430.0
    assert split(stages, 700.0, 640.0)["network and jitter buffer"] == 60.0
    # Recognised before the end was sure: only the rest of it was waited for.
    early = split({"recognise": 0.1, "endpoint": 0.3, "turn": 0.3, "answer": 0.2, "speak": 0.25, "play": 0.35}, 400.0)
    assert early["recognition"] == 100.0
    assert sum(early.values()) == pytest.approx(400.0)


def test_pictures_that_the_page_was_too_busy_to_see_were_shown_all_the_same() -> None:
    shown = np.array([[0, 1], [40, 2], [160, 5], [260, 6], [1000, 7]], float)
    assert gaps(shown, [(0, 300)]) == [40, 40, 40, 40, 100]


def message(kind: str, frame: int = 0, **data: Any) -> dict[str, Any]:
    return {"type": kind, "frame": frame, "data": data}


ANSWERS = ["Yes. I speak English and Mandarin Chinese. Just talk to me."]


def test_an_answer_is_right_by_its_first_real_sentence_and_finished_by_its_last() -> None:
    said = ["Yes.", "I speak English and Mandarin Chinese."]
    assert judging.right(said, ANSWERS)
    assert not judging.right(["Yes."], ANSWERS)
    assert not judging.right(["I do not know that."], ANSWERS)
    assert judging.right(["好的，", "我会说普通话和英语。"], ["我会说普通话和英语。您直接说就可以。"])
    whole = [*said, "Just talk to me."]
    assert judging.finished(whole, ANSWERS, [])
    assert not judging.finished(said, ANSWERS, [])
    assert not judging.finished(whole, ANSWERS, [message("bot-interruption", spoken="Yes.")])


def test_words_are_no_sentences_and_a_turn_taken_up_again_is_one() -> None:
    whole = message("bot-output", text="Just talk to me.", aggregated_by="sentence")
    words = [message("bot-output", text=each, aggregated_by="word") for each in ("Just ", "talk ")]
    assert judging.spoken([whole, *words]) == ["Just talk to me."]
    parts = ["Is it possible?", "Is it possible, to connect my own model?", "Yeah."]
    partial = message("user-transcription", text="Is it", final=False)
    nothing = message("user-transcription", text="", final=True)
    told = [partial, *(message("user-transcription", text=each, final=True) for each in parts), nothing]
    assert judging.heard(told) == ["Is it possible, to connect my own model?", "Yeah."]


def question(**more: Any) -> Recording:
    given = {"file": "q.flac", "kind": "question", "language": "en", "starts_s": 0.1, "ends_s": 1.0, "expect": ["x"]}
    return Recording.model_validate({**given, **more})


def exchange(*, begin: int | None, messages: Any = (), sound: bool = False, **more: Any) -> Judged:
    cough = Recording(file="c.flac", kind="sound", starts_s=0, ends_s=1, group="cough") if sound else None
    step = plan([question(**more)], [cough] if cough else [], 1, {"q.flac": 4.0})[0]
    found = Exchange(step, 0, onset=0, end=48_000, begin=begin, over=200_000, messages=messages)
    found.event_at = begin if sound else None
    return Judged.of(found, ANSWERS)


def said(*sentences: str) -> list[dict[str, Any]]:
    texts = [message("bot-output", 100_000, text=each) for each in sentences]
    return [message("user-transcription", 60_000, text="what"), *texts]


WHOLE = said("Yes.", "I speak English and Mandarin Chinese.", "Just talk to me.")


def test_no_answer_is_wrong_and_makes_the_run_slower() -> None:
    found = figures([exchange(begin=96_000, messages=WHOLE), exchange(begin=None)], NO_PICTURES, 0.0)
    assert found["correct"] == 0.5
    assert found["response_ms"] == {"p50": 1000.0, "p95": 15_000.0}
    assert found["unanswered"] == 1


def test_who_cuts_in_and_is_not_heard_got_no_answer() -> None:
    resumed = exchange(
        begin=96_000, messages=[message("bot-output", 90_000, text="I speak English and Mandarin Chinese.")]
    )
    resumed.exchange.cuts_in = True
    found = figures([resumed], NO_PICTURES, 0.0)
    assert found["unanswered"] == 1
    assert found["response_ms"]["p50"] == 15_000.0
    assert found["list"][0]["response_ms"] is None


def test_an_answer_in_a_pause_is_a_false_end_and_no_quick_response() -> None:
    early = exchange(begin=96_000, messages=WHOLE, pauses_s=[0.7], group="pause")
    early.exchange.early = True
    patient = exchange(begin=144_000, messages=WHOLE, group="um")
    found = figures([early, patient, exchange(begin=96_000, messages=WHOLE)], NO_PICTURES, 0.0)
    assert found["false_ends"] == 0.5, "of the two who hesitate"
    assert found["response_ms"] == {"p50": 1000.0, "p95": 2000.0}


def test_a_cough_after_which_the_answer_went_on_is_no_false_interruption() -> None:
    # An interruption before the answer began is not the cough's doing.
    before = [message("bot-interruption", 50_000, spoken=""), *WHOLE]
    cut = [*said("Yes."), message("bot-interruption", 150_000, spoken="Yes.")]
    turns = [exchange(begin=96_000, messages=each, sound=True) for each in (before, WHOLE, cut)]
    found = figures([*turns, exchange(begin=96_000, messages=WHOLE)], NO_PICTURES, 0.0)
    assert found["events"] == {"cough": {"heard": 3, "false_interruptions": 0.3333}}
    assert found["false_interruptions"] == 0.3333


def test_a_run_has_both_languages_all_kinds_interruptions_and_every_event() -> None:
    shipped = load(SHIPPED)
    steps = plan(shipped.questions, shipped.sounds, 40, dict.fromkeys((each.file for each in shipped.questions), 5.0))
    assert len(steps) == 40
    assert len({step.question.file for step in steps}) == 40, "nothing is asked twice while there is something new"
    by_language = [sum(step.question.language == each for step in steps) for each in ("en", "zh")]
    assert by_language == [20, 20]
    for language in ("en", "zh"):
        asked = [step.question for step in steps if step.question.language == language]
        assert {each.group for each in asked} == {"short", "long", "noise", "pause", "um"}
        assert {pause for each in asked for pause in each.pauses_s} >= {0.4, 0.7, 1.0}
    cuts = [number for number, step in enumerate(steps) if step.cut_at_s is not None]
    assert len(cuts) >= 10
    assert len({steps[number].cut_at_s for number in cuts}) == 4
    assert not any(steps[number + 1].question.hesitates for number in cuts)
    assert {step.sound.group for step in steps if step.sound} == {"cough", "keyboard", "backchannel"}
    assert {step.echo_db for step in steps} == {None, -30.0, -20.0, -12.0}
    assert sum(step.sound is not None or step.echo_db is not None for step in steps) >= 20


def test_a_short_answer_is_left_alone_and_few_recordings_are_used_again() -> None:
    steps = plan([question()], [], 3, {"q.flac": EVENT_AT_S})
    assert [(step.cut_at_s, step.sound, step.echo_db) for step in steps] == [(None, None, None)] * 3
    assert len(choose([question(), question(file="z.flac", language="zh")], 5)) == 5


async def test_the_scripted_model_answers_what_was_asked_after_its_delay() -> None:
    answers = {"Which languages can you speak?": "English, and a little Mandarin.", "多少钱？": "不要钱。"}
    async with model.scripted(answers, 0.2) as url, httpx.AsyncClient() as http:
        for asked, wanted in (
            ("which language can you speak", answers["Which languages can you speak?"]),
            ("要多少钱", "不要钱。"),
            ("zzz", model.UNKNOWN),
        ):
            body = {"messages": [{"role": "user", "content": asked}], "stream": True}
            began = time.monotonic()
            async with http.stream("POST", url, json=body) as answer:
                text, first = "", 0.0
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        first = first or time.monotonic() - began
                        text += httpx.Response(200, text=line[6:]).json()["choices"][0]["delta"]["content"]
            assert text == wanted
            assert first >= 0.2


def test_the_bench_waits_for_what_the_server_s_log_says() -> None:
    said = Path(ahead.__file__).read_text()
    assert f'_log.info("{server.WARM}"' in said
    assert f'_log.info("{server.WARMING}"' in said


def test_every_expected_answer_is_in_the_shipped_knowledge() -> None:
    entries = {entry.id: entry for entry in load_knowledge().entries}
    for each in load(SHIPPED).questions:
        assert judging.wanted(each, entries), each.file
    assert report.PARTS[-1] == "network and jitter buffer"
