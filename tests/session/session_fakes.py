"""Fakes for the session's unit tests: an outlet, a renderer, listeners, engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from visavis.dialogue.types import Sentence, Turn
from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.media.types import EncodedAudio, EncodedFrame
from visavis.motion.director import Director
from visavis.motion.frame import MotionFrame
from visavis.session.easel import Easel
from visavis.session.script import TurnRecord, Utterance
from visavis.session.stage import Stage, StageListener
from visavis.speech.types import PhonemeTiming, SpeechChunk, Transcript, VoiceSettings

NORMAL = VoiceSettings()


class Heard:
    """A journal whose readers wait for an entry instead of sleeping."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, object]] = []
        self._news = asyncio.Condition()

    def note(self, kind: str, what: object = None) -> None:
        self.entries.append((kind, what))
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def of(self, kind: str) -> list[object]:
        return [what for name, what in self.entries if name == kind]

    async def wait(self, kind: str, check: Callable[[object], bool] = lambda _: True, count: int = 1) -> object:
        def found() -> list[object]:
            return [what for what in self.of(kind) if check(what)]

        async with asyncio.timeout(15), self._news:
            await self._news.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]


@dataclass
class FakeOutlet:
    viewers: int = 1
    motion_viewers: int = 0
    motion: list[tuple[bytes, int]] = field(default_factory=list)
    pictures: bool = True
    video: list[EncodedFrame] = field(default_factory=list)
    audio: list[EncodedAudio] = field(default_factory=list)
    on_audio: Callable[[EncodedAudio], None] = lambda packet: None
    on_video: Callable[[EncodedFrame], None] = lambda frame: None

    @property
    def picture_viewers(self) -> int:
        return self.viewers if self.pictures else 0

    def push_motion(self, message: bytes, position: int) -> None:
        self.motion.append((message, position))

    def push_video(self, frame: EncodedFrame) -> None:
        self.video.append(frame)
        self.on_video(frame)

    def push_audio(self, packet: EncodedAudio) -> None:
        self.audio.append(packet)
        self.on_audio(packet)


class FakeRenderer:
    """Remembers the motion it was asked to draw."""

    width, height = 64, 48
    cacheable, key = True, "aa"

    def __init__(self) -> None:
        self.burnt: list[str | None] = []
        """What stood in the subtitle."""
        self.drawn: list[MotionFrame] = []

    def draw(self, motion: MotionFrame, out: np.ndarray) -> bool:
        self.drawn.append(motion)
        out[:] = len(self.drawn) % 200
        return True

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        self.burnt.append(text and text[:upto])


class Listener:
    """StageListener and ConversationListener in one; ``conversation`` is set once it exists."""

    def __init__(self) -> None:
        self.heard_journal = Heard()
        self.note = self.heard_journal.note
        self.conversation: object | None = None

    def utterance_started(self, utterance: Utterance, pts: float) -> None:
        self.note("started", utterance.text)
        if self.conversation is not None:
            self.conversation.utterance_started(utterance)

    def utterance_ended(self, utterance: Utterance, interrupted: bool) -> None:
        self.note("ended", (utterance.text, interrupted, utterance.heard))
        if self.conversation is not None and not interrupted:
            self.conversation.utterance_ended()

    def speaking_changed(self, speaking: bool) -> None:
        self.note("speaking", speaking)

    def voice_changed(self, speaking: bool) -> None:
        self.note("voice", speaking)

    def heard(self, record: TurnRecord, typed: bool) -> None:
        self.note("heard", record.heard)

    def hearing(self, text: str) -> None:
        self.note("hearing", text)

    def nothing_heard(self) -> None:
        self.note("nothing")

    def turn_done(self, record: TurnRecord) -> None:
        self.note("done", record)

    def trouble(self, text: str) -> None:
        self.note("trouble", text)


class FakeRecogniser:
    """Hears the next of ``texts`` in each turn, however often it is asked while the turn lasts: then the sound only grows."""

    sample_rate = 16_000

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.seconds: list[float] = []
        self.words: list[Sequence[str]] = []
        self._last = np.zeros(0, np.int16)
        self._text = ""

    async def transcribe(
        self, pcm: np.ndarray, language: str | None = None, *, words: Sequence[str] = ()
    ) -> Transcript:
        self.seconds.append(len(pcm) / 16_000)
        self.words.append(words)
        last, self._last = self._last, pcm
        if len(pcm) <= len(last) or not len(last) or not np.array_equal(pcm[: len(last)], last):
            self._text = self.texts.pop(0) if self.texts else ""
        return Transcript(self._text, "en", 0.9)


class FakeSynthesiser:
    """Speaks a tone: ``seconds`` of it for each sentence, in chunks of 200 ms."""

    sample_rate = 24_000

    def __init__(self, seconds: float = 0.6) -> None:
        self.seconds = seconds
        self.said: list[tuple[str, str, str, VoiceSettings]] = []

    def voices(self) -> list[object]:
        return []

    async def say(
        self, text: str, voice: str, language: str, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        self.said.append((text, voice, language, settings))
        count = round(self.seconds / 0.2)
        for index in range(count):
            tone = (np.sin(np.arange(4800) * 2 * np.pi * 440 / 24_000) * 9000).astype(np.int16)
            yield SpeechChunk(tone, index * 0.2, [PhonemeTiming("a", index * 0.2, index * 0.2 + 0.2)])


class FakeDialogue:
    """Answers with prepared sentences and remembers the turns."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        self.turns: list[Turn] = []
        self.closed = False

    async def answer(self, turn: Turn) -> AsyncIterator[Sentence]:
        self.turns.append(turn)
        for text in self.sentences:
            yield Sentence(text, "en")

    async def aclose(self) -> None:
        self.closed = True


def small_stage(listener: StageListener, outlet: FakeOutlet) -> Stage:
    """A stage of 64x48 pixels with the real encoders, which moves in the same way each time."""
    return Stage(
        director=Director(np.random.default_rng(5)),
        easel=Easel(FakeRenderer(), H264Encoder(64, 48), outlet),
        audio=OpusEncoder(),
        outlet=outlet,
        listener=listener,
    )
