"""A voice while the digital human speaks: it falls silent at once, and goes on if it was not meant."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tone_talk import ToneTalk, quiet, said, tone_talk

from visavis.session.halt import REACH, quiet_place
from visavis.session.script import STAGE_RATE, Utterance
from visavis.session.stage import TICK
from visavis.session.turns.barge_in import FALSE_ALARMS, TRANSITIONS, Act, BargeIn, Floor, Heard

STORY = "This is a long answer that goes on and on until somebody stops it."


def silent_from(talk: ToneTalk, position: int) -> list[int]:
    """Positions of the loud 20 ms after ``position``."""
    return [at for at, peak in talk.sounded if at >= position and peak > 500]


async def telling(talk: ToneTalk) -> None:
    await talk.conversation.ask("tell me")
    await talk.journal.wait("started")
    await talk.hear(quiet(0.4))


async def test_a_cough_pauses_the_answer_and_all_of_it_is_heard() -> None:
    async with tone_talk(STORY, seconds=3.0) as talk:
        await telling(talk)
        before = talk.stage.position
        await talk.hear(said("(noise)"), quiet(0.6))
        record = await talk.journal.wait("done")
        assert talk.conversation.false_alarms == 1
        assert talk.journal.of("voice") == [], "a cough is not told as speech"
        assert talk.journal.of("speaking") == [True, False], "it was paused, not over"
    assert not record.interrupted
    assert record.spoken == STORY
    loud = silent_from(talk, 0)
    gaps = np.diff(loud)
    assert gaps.max() > 0.2 * STAGE_RATE, "it fell silent for the cough"
    stopped = loud[int(gaps.argmax())]
    assert stopped - before < 0.25 * STAGE_RATE, (stopped - before) / STAGE_RATE
    heard = len(loud) * TICK / STAGE_RATE
    assert 2.95 <= heard <= 3.0 + REACH / STAGE_RATE + 0.1, "nothing is lost, and not much said twice"


@pytest.mark.parametrize("murmur", ["yeah", "mm-hm", "um"])
async def test_assent_does_not_interrupt(murmur: str) -> None:
    async with tone_talk(STORY, seconds=2.5) as talk:
        await telling(talk)
        await talk.hear(said(murmur), quiet(0.6))
        record = await talk.journal.wait("done")
        assert talk.journal.of("heard") == ["tell me"]
        assert [turn.text for turn in talk.dialogue.turns] == ["tell me"]
    assert not record.interrupted
    assert talk.conversation.false_alarms == 1


async def test_words_interrupt_within_the_bound_and_are_answered() -> None:
    async with tone_talk(STORY, seconds=6.0) as talk:
        await telling(talk)
        await talk.hear(quiet(1.2))
        onset = talk.stage.position
        await talk.hear(said("stop tell me more now"), quiet(0.8))
        cut = await talk.journal.wait("done")
        await talk.journal.wait("heard", lambda text: text == "Stop tell me more now.")
        assert talk.journal.of("voice")[:2] == [True, False]
        turn = talk.dialogue.turns[-1]
    assert cut.interrupted
    assert STORY.startswith(cut.spoken)
    assert cut.spoken != STORY
    assert [(one.role, one.text) for one in turn.history] == [("user", "tell me"), ("assistant", cut.spoken)]
    first = [at for at in silent_from(talk, onset) if at < onset + 1.0 * STAGE_RATE]
    assert (max(first) + TICK - onset) / STAGE_RATE < 0.25, "the voice stops within 250 ms of the onset"


async def test_one_short_order_interrupts() -> None:
    async with tone_talk(STORY, seconds=6.0) as talk:
        await telling(talk)
        await talk.hear(said("stop"), quiet(1.2))
        cut = await talk.journal.wait("done")
        assert cut.interrupted
        await talk.journal.wait("heard", lambda text: text == "Stop.")


async def test_words_that_are_understood_late_interrupt_all_the_same() -> None:
    """On a busy machine recognition may take seconds: the answer goes on meanwhile, and what was said is not lost."""
    async with tone_talk(STORY, seconds=8.0, took=2.6) as talk:
        await telling(talk)
        await talk.hear(said("stop"), quiet(4.0))
        cut = await talk.journal.wait("done")
        assert cut.interrupted
        assert talk.conversation.false_alarms == 0
        await talk.journal.wait("heard", lambda text: text == "Stop.")


async def test_assent_that_goes_on_with_words_interrupts() -> None:
    async with tone_talk(STORY, seconds=6.0) as talk:
        await telling(talk)
        await talk.hear(said("yeah i want two tickets"), quiet(1.0))
        cut = await talk.journal.wait("done")
        assert cut.interrupted
        await talk.journal.wait("heard", lambda text: text == "Yeah i want two tickets.")


async def test_its_own_echo_does_not_interrupt_and_in_the_end_does_not_even_pause_it() -> None:
    async with tone_talk("Tell me more now please.", seconds=5.0) as talk:
        await talk.conversation.ask("go")
        await talk.journal.wait("started")
        for _ in range(4):
            await talk.hear(quiet(0.2), said("tell me more"), quiet(0.6))
        record = await talk.journal.wait("done")
    assert not record.interrupted
    assert 1 <= talk.conversation.false_alarms <= 2 * FALSE_ALARMS
    loud = silent_from(talk, 0)
    assert (np.diff(loud) > 0.15 * STAGE_RATE).sum() <= FALSE_ALARMS


async def test_its_own_echo_that_outlasts_the_answer_is_not_answered() -> None:
    async with tone_talk("Tell me more now please.", seconds=1.6) as talk:
        await talk.conversation.ask("go")
        await talk.journal.wait("started")
        await talk.hear(quiet(1.1), said("me more now"), quiet(1.2))
        await talk.journal.wait("done")
        await talk.hear(quiet(0.6), said("tell me more"), quiet(1.0))
        await talk.journal.wait("done", lambda record: record.heard == "Tell me more.")
        assert [turn.text for turn in talk.dialogue.turns] == ["go", "Tell me more."], "said after it, it is meant"


async def test_a_slow_recogniser_does_not_keep_it_silent_for_ever() -> None:
    async with tone_talk(STORY, seconds=2.0, took=30.0) as talk:
        await telling(talk)
        await talk.hear(said("(noise)"), quiet(0.4))
        assert talk.stage.paused
        record = await talk.journal.wait("done")
    assert not record.interrupted


# --- the stage -----------------------------------------------------------------------------------------------------


async def test_a_paused_stage_stops_within_20_ms_closes_the_mouth_and_goes_on_where_it_was() -> None:
    async with tone_talk() as talk:
        utterance = Utterance("one two three four five six", "en", "c")
        time = np.arange(2 * STAGE_RATE) / STAGE_RATE
        words = (np.sin(2 * np.pi * 330 * time) * 9000 * (np.sin(np.pi * 3 * time) ** 2 > 0.1)).astype(np.int16)
        await talk.stage.push(utterance, words, [("ɑ", 0.0, 2.0)])
        talk.stage.finish(utterance)
        await talk.journal.wait("started")
        await _played(talk, 0.8)
        at = talk.stage.position
        talk.stage.pause()
        assert talk.stage.speaking
        assert talk.stage.paused
        await _played(talk, 1.4)
        assert not silent_from(talk, at + TICK)
        mouth = talk.stage._director.frame(talk.stage.now).weight("jawOpen")
        assert mouth < 0.03
        played = utterance.played
        talk.stage.resume()
        assert utterance.played <= played
        assert played - utterance.played <= REACH
        await talk.journal.wait("ended")
    assert utterance.heard == utterance.text
    assert talk.journal.of("ended") == [(utterance.text, False, utterance.text)]
    loud = silent_from(talk, 0)
    gaps = np.diff(loud)
    assert gaps.max() >= 0.5 * STAGE_RATE
    assert len(loud) * TICK >= 0.85 * np.count_nonzero(np.abs(words) > 0)


async def test_what_is_pushed_while_it_is_paused_comes_after() -> None:
    async with tone_talk() as talk:
        tone = (np.sin(np.arange(STAGE_RATE // 2) * 0.05) * 9000).astype(np.int16)
        first, second = Utterance("first", "en", "c"), Utterance("second", "en", "c")
        await talk.stage.push(first, tone, None)
        talk.stage.finish(first)
        await talk.journal.wait("started")
        await _played(talk, 0.2)
        talk.stage.pause()
        await talk.stage.push(second, tone, [("a", 0.0, 0.5)])
        talk.stage.finish(second)
        await _played(talk, 0.5)
        assert talk.journal.of("started") == ["first"]
        talk.stage.resume()
        await talk.journal.wait("ended", count=2)
    assert [text for text, _, _ in talk.journal.of("ended")] == ["first", "second"]
    assert talk.journal.of("speaking") == [True, False]


async def test_a_cleared_pause_is_over() -> None:
    async with tone_talk() as talk:
        tone = (np.sin(np.arange(STAGE_RATE) * 0.05) * 9000).astype(np.int16)
        await talk.stage.push(Utterance("cut", "en", "c"), tone, None)
        await talk.journal.wait("started")
        talk.stage.pause()
        talk.stage.clear()
        assert not talk.stage.paused
        talk.stage.resume()
        other = Utterance("other", "en", "c")
        await talk.stage.push(other, tone, None)
        talk.stage.finish(other)
        await talk.journal.wait("ended", lambda ended: ended[0] == "other" and not ended[1])


async def _played(talk: ToneTalk, seconds: float) -> None:
    """Until the stage clock has gone on by ``seconds``."""
    done = asyncio.Event()
    until = talk.stage.position + seconds * STAGE_RATE
    talk.outlet.on_audio = lambda packet: done.set() if talk.stage.position >= until else None
    await asyncio.wait_for(done.wait(), seconds + 5)


def test_the_voice_goes_back_to_a_dip_before_the_place_where_it_stopped() -> None:
    sound = np.full(STAGE_RATE, 8000, np.int16)
    sound[30_000:31_500] = 0
    assert 30_000 <= quiet_place(sound) <= 31_500
    even = np.full(STAGE_RATE // 4, 8000, np.int16)
    assert 0 <= quiet_place(even) < len(even)
    assert quiet_place(even[:1000]) == 0


# --- the table -------------------------------------------------------------------------------------------------------


def walk(*events: Heard) -> tuple[list[Act], BargeIn]:
    machine = BargeIn()
    return [machine.hear(event) for event in events], machine


def test_every_pause_ends_in_resuming_or_yielding() -> None:
    """From every paused state some event that must come (it is late at last) lets it speak or gives the floor away."""
    paused = {Floor.ONSET, Floor.LINGER, Floor.VOICE, Floor.MURMUR, Floor.AFTER}
    for floor in paused:
        assert TRANSITIONS[floor, Heard.LATE][1] in (Act.RESUME, Act.GO_ON, Act.YIELD), floor
    for (floor, heard), (after, act) in TRANSITIONS.items():
        if act is Act.PAUSE:
            assert after in paused
        if floor in paused and after not in paused and heard is not Heard.SILENT:
            assert act in (Act.RESUME, Act.GO_ON, Act.YIELD), (floor, heard)
        if floor not in paused:
            assert act is not Act.RESUME, (floor, heard)


def test_the_usual_courses() -> None:
    assert walk(Heard.ONSET, Heard.NOTHING, Heard.LATE)[0] == [Act.PAUSE, Act.NONE, Act.RESUME]
    assert walk(Heard.ONSET, Heard.NOTHING, Heard.ONSET, Heard.VOICE)[0] == [Act.PAUSE, *[Act.NONE] * 3], "no stutter"
    assert walk(Heard.ONSET, Heard.VOICE, Heard.HUSH, Heard.MURMUR)[0][-1] is Act.RESUME
    assert walk(Heard.ONSET, Heard.VOICE, Heard.WORDS)[0][-1] is Act.YIELD
    assert walk(Heard.ONSET, Heard.VOICE, Heard.MURMUR, Heard.HUSH, Heard.WORDS)[0][-1] is Act.YIELD
    assert walk(Heard.ONSET, Heard.VOICE, Heard.SILENT)[0][-1] is Act.YIELD


def test_false_alarms_make_it_wary_until_a_turn_came() -> None:
    acts, machine = walk(
        *[Heard.ONSET, Heard.NOTHING, Heard.LATE] * FALSE_ALARMS, Heard.ONSET, Heard.VOICE, Heard.HUSH, Heard.MURMUR
    )
    assert acts[-4:] == [Act.NONE, Act.NONE, Act.NONE, Act.IGNORE]
    assert machine.hear(Heard.VOICE) is Act.NONE
    assert machine.hear(Heard.WORDS) is Act.YIELD
    assert machine.hear(Heard.ONSET) is Act.PAUSE
