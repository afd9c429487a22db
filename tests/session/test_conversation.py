"""The pipeline with real voice activity and turn strategy; recognition, dialogue and synthesis are fakes."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from session_fakes import FakeDialogue, FakeOutlet, FakeRecogniser, FakeSynthesiser, Listener, small_stage

from visavis.errors import VisavisError
from visavis.session.conversation import Conversation, Parts
from visavis.session.hearing import EmbeddedRecogniser
from visavis.session.services import EmbeddedSynthesiser, STTService, TTSService, load_service
from visavis.session.spec import VoiceSpec
from visavis.settings import Settings
from visavis.speech.silero import SileroModel

QUESTION = Path(__file__).parents[2] / "demo" / "questions" / "en.wav"


def question() -> np.ndarray:
    """A recorded question, 16 kHz, with 1.2 s of silence behind it."""
    with wave.open(str(QUESTION)) as file:
        assert file.getframerate() in (16_000, 48_000)
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        pcm = pcm[:: file.getframerate() // 16_000]
    return np.concatenate([pcm, np.zeros(19_200, np.int16)])


class Talk:
    def __init__(
        self, recogniser: FakeRecogniser, dialogue: FakeDialogue, synthesiser: FakeSynthesiser, **more: object
    ) -> None:
        self.recogniser, self.dialogue, self.synthesiser = recogniser, dialogue, synthesiser
        self.listener, self.outlet = Listener(), FakeOutlet()
        self.journal = self.listener.heard_journal
        self.stage = small_stage(self.listener, self.outlet)
        self.conversation = Conversation(
            Parts(
                SileroModel(Settings().models_dir).activity(),
                EmbeddedRecogniser(recogniser, None),
                dialogue,
                EmbeddedSynthesiser(synthesiser, more.get("voices", [VoiceSpec()]), "en"),
            ),
            self.stage,
            self.listener,
            tail_silence_s=0.5,
            default_language="en",
            user_id="u",
            session_id="s",
        )
        self.listener.conversation = self.conversation

    async def speak(self, pcm: np.ndarray) -> None:
        """As a microphone would: 40 ms every 40 ms."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index in range(0, len(pcm), 640):
            await self.conversation.hear(pcm[index : index + 640].tobytes())
            delay = began + index / 16_000 - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)


@asynccontextmanager
async def talking(*heard: str, says: tuple[str, ...] = (), seconds: float = 0.6, **more: object) -> AsyncIterator[Talk]:
    talk = Talk(FakeRecogniser(*heard), FakeDialogue(*says), FakeSynthesiser(seconds), **more)
    stage = asyncio.create_task(talk.stage.run())
    run = asyncio.create_task(talk.conversation.run())
    await talk.conversation.ready()
    try:
        yield talk
    finally:
        run.cancel()
        stage.cancel()
        await asyncio.gather(run, stage, return_exceptions=True)
        assert talk.dialogue.closed
        left = {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()}
        assert not {name for name in left if "Processor" in name or "Embedded" in name}, left


async def test_a_spoken_question_is_answered_aloud_and_measured() -> None:
    async with talking("which languages", says=("I speak two.", "And you?")) as talk:
        speaking = asyncio.create_task(talk.speak(question()))
        record = await talk.journal.wait("done")
        await speaking
    assert talk.dialogue.turns[0].text == "which languages"
    assert record.spoken == "I speak two. And you?"
    assert not record.interrupted
    stages = list(record.stages().items())
    assert [name for name, _ in stages] == ["endpoint", "recognise", "turn", "answer", "speak", "play"]
    times = [seconds for _, seconds in stages]
    assert times == sorted(times)
    assert stages[2][1] >= 0.49, "the turn may not end before the tail silence is over"
    assert talk.recogniser.seconds[0] > 0.5


async def test_speaking_over_it_silences_it_and_keeps_only_what_was_said() -> None:
    answer = "This is a long answer that goes on and on until somebody stops it."
    async with talking("first", "and the second", says=(answer,), seconds=8.0) as talk:
        await talk.speak(question())
        await talk.journal.wait("started")
        # Another sound; and what is cut before 0.7 s of it were heard came too early, which is another matter.
        await talk.speak(np.concatenate([np.zeros(9600, np.int16), question() // 2]))
        record = await talk.journal.wait("done")
        await talk.journal.wait("heard", lambda text: text == "and the second")
        assert talk.journal.of("speaking")[:2] == [True, False]
        second = talk.dialogue.turns[1]
    assert record.interrupted
    assert record.spoken
    assert answer.startswith(record.spoken)
    assert record.spoken != answer
    assert [(message.role, message.text) for message in second.history] == [
        ("user", "first"),
        ("assistant", record.spoken),
    ]


async def test_a_typed_question_cuts_and_is_answered() -> None:
    async with talking(says=("Yes.",), seconds=2.0) as talk:
        await talk.conversation.ask("one")
        await talk.journal.wait("started")
        await talk.conversation.ask("two")
        first = await talk.journal.wait("done")
        second = await talk.journal.wait("done", count=2)
    assert (first.heard, first.interrupted) == ("one", True)
    assert (second.heard, second.interrupted, second.spoken) == ("two", False, "Yes.")


async def test_text_is_said_as_it_is_in_the_voice_of_its_language() -> None:
    voices = [VoiceSpec(voice_id="anna", language="en", speed=120), VoiceSpec(voice_id="mei", language="zh", pitch=90)]
    async with talking(voices=voices) as talk:
        await talk.conversation.say("你好，欢迎。")
        await talk.journal.wait("started")
        await talk.journal.wait("done")
        await talk.conversation.say("Welcome.")
        await talk.journal.wait("done", count=2)
    assert [(text, voice, language) for text, voice, language, _ in talk.synthesiser.said] == [
        ("你好，欢迎。", "mei", "zh"),
        ("Welcome.", "anna", "en"),
    ]
    assert talk.synthesiser.said[0][3].pitch == 90
    assert talk.synthesiser.said[1][3].speed == 120


async def test_noise_without_words_is_not_answered() -> None:
    async with talking("") as talk:
        await talk.speak(question())
        await talk.journal.wait("voice", lambda speaking: speaking is False)
        await talk.journal.wait("nothing")
        assert talk.dialogue.turns == []
        await talk.conversation.ask("still there?")
        await talk.journal.wait("done")
    assert talk.dialogue.turns[0].text == "still there?"


def test_a_service_by_name_and_its_errors() -> None:
    with pytest.raises(VisavisError, match="no Pipecat service"):
        load_service("pipecat.services.nowhere:Nothing", {}, STTService)
    with pytest.raises(VisavisError, match="is not a TTSService"):
        load_service("pipecat.services.openai.stt:OpenAISTTService", {}, TTSService)
    with pytest.raises(VisavisError) as refused:
        load_service("pipecat.services.openai.stt:OpenAISTTService", {"secret": "s3cret", "nonsense": 1}, STTService)
    assert "s3cret" not in str(refused.value)
    service = load_service("pipecat.services.openai.stt:OpenAISTTService", {"api_key": "k"}, STTService)
    assert isinstance(service, STTService)
