"""A conversation in which each word is a tone: what is heard follows from the sound alone, and no model is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
from session_fakes import FakeDialogue, FakeOutlet, FakeSynthesiser, Listener, small_stage

from visavis.dialogue.types import Dialogue
from visavis.session.conversation import Conversation, Parts
from visavis.session.hearing import EmbeddedRecogniser
from visavis.session.services import EmbeddedSynthesiser
from visavis.session.spec import VoiceSpec
from visavis.session.turns.melody import Melody
from visavis.speech.types import Language, Recogniser, Transcript, VoiceActivity

RATE = 16_000
WORDS = [
    "which",
    "languages",
    "can",
    "you",
    "speak",
    "what",
    "time",
    "is",
    "it",
    "in",
    "paris",
    "i",
    "want",
    "um",
    "two",
    "tickets",
    "stop",
    "mm-hm",
    "yeah",
    "tell",
    "me",
    "more",
    "now",
    "please",
]
NOISE = "(noise)"
"""A sound that is no word: the detector takes it for a voice."""
WORD_S = 0.3
_STEP_HZ = 100


def said(words: str, word_s: float = WORD_S) -> np.ndarray:
    """The sound of ``words``: tones with 40 ms between them; "_" is 0.1 s of silence."""
    parts: list[np.ndarray] = []
    for word in words.split():
        if word.startswith("_"):
            parts.append(np.zeros(round(0.1 * len(word) * RATE), np.int16))
            continue
        index = len(WORDS) if word == NOISE else WORDS.index(word)
        time = np.arange(round(word_s * RATE)) / RATE
        parts.append((np.sin(2 * np.pi * (300 + _STEP_HZ * index) * time) * 12_000).astype(np.int16))
        parts.append(np.zeros(round(0.04 * RATE), np.int16))
    return np.concatenate(parts)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


class LoudActivity:
    """Whatever is loud is a voice."""

    sample_rate, frame_samples = RATE, 512

    def probability(self, frame: np.ndarray) -> float:
        return 0.95 if float(np.sqrt(np.square(frame.astype(np.float64)).mean())) > 1500 else 0.02

    def reset(self) -> None:
        """Nothing is remembered."""


class ToneRecogniser:
    """Knows the words by their pitch. ``took``: seconds that each recognition takes."""

    sample_rate = RATE

    def __init__(self, took: float = 0.0) -> None:
        self.took = took
        self.calls = 0
        self.dropped = 0

    async def transcribe(
        self, pcm: np.ndarray, language: str | None = None, *, words: Sequence[str] = ()
    ) -> Transcript:
        self.calls += 1
        try:
            await asyncio.sleep(self.took)
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        return Transcript(_words(pcm), "en", 0.9, len(pcm) / RATE)


def _words(pcm: np.ndarray) -> str:
    block = RATE // 50
    loud = np.abs(pcm[: len(pcm) // block * block].reshape(-1, block)).max(1) > 3000
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(int)))
    heard: list[str] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        sound = pcm[begin * block : end * block].astype(float)
        if len(sound) < 0.1 * RATE:
            continue
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        index = round((spectrum.argmax() * RATE / len(sound) - 300) / _STEP_HZ)
        if 0 <= index < len(WORDS):
            heard.append(WORDS[index])
    text = " ".join(heard)
    return text.capitalize() + ("?" if text.split()[0] in ("which", "what") else ".") if text else ""


class ToneTalk:
    """Everything of one conversation; ``stage`` and ``journal`` tell what came of it."""

    def __init__(
        self,
        recogniser: Recogniser,
        dialogue: Dialogue,
        synthesiser: FakeSynthesiser,
        tail_silence_s: float,
        activity: VoiceActivity,
        language: Language | None,
        melody: Melody | None,
    ) -> None:
        self.recogniser, self.dialogue, self.synthesiser = recogniser, dialogue, synthesiser
        self.listener, self.outlet = Listener(), FakeOutlet()
        self.journal = self.listener.heard_journal
        self.stage = small_stage(self.listener, self.outlet)
        self.sounded: list[tuple[int, float]] = []
        self.stage.on_sound = lambda block, position: self.sounded.append((position, float(np.abs(block).max())))
        self.conversation = Conversation(
            Parts(
                activity,
                EmbeddedRecogniser(recogniser, language, {}, melody),
                dialogue,
                EmbeddedSynthesiser(synthesiser, [VoiceSpec()], "en"),
            ),
            self.stage,
            self.listener,
            tail_silence_s=tail_silence_s,
            default_language="en",
            user_id="u",
            session_id="s",
        )
        self.listener.conversation = self.conversation
        note = self.listener.speaking_changed
        tasks: set[asyncio.Task[None]] = set()

        def speaking_changed(speaking: bool) -> None:
            note(speaking)
            task = asyncio.get_running_loop().create_task(self.conversation.speaking_changed(speaking))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        self.listener.speaking_changed = speaking_changed  # type: ignore[method-assign]
        self._mic_at = 0.0

    async def hear(self, *sounds: np.ndarray) -> None:
        """As a microphone would: 40 ms every 40 ms, without a gap between two calls."""
        loop = asyncio.get_running_loop()
        pcm = np.concatenate(sounds)
        self._mic_at = max(self._mic_at, loop.time() - 0.2)
        for index in range(0, len(pcm), 640):
            self._mic_at += 0.04
            await asyncio.sleep(max(0.0, self._mic_at - loop.time()))
            await self.conversation.hear(pcm[index : index + 640].tobytes())


@asynccontextmanager
async def tone_talk(
    *sentences: str,
    dialogue: Dialogue | None = None,
    took: float = 0.0,
    seconds: float = 0.6,
    tail_silence_s: float = 0.5,
    recogniser: Recogniser | None = None,
    activity: VoiceActivity | None = None,
    language: Language | None = "en",
    melody: Melody | None = None,
) -> AsyncIterator[ToneTalk]:
    """A conversation that answers with ``sentences`` (or ``dialogue``), each ``seconds`` long. ``recogniser`` and the rest: instead
    of those that know tones."""
    talk = ToneTalk(
        recogniser or ToneRecogniser(took),
        dialogue or FakeDialogue(*sentences),
        FakeSynthesiser(seconds),
        tail_silence_s,
        activity or LoudActivity(),
        language,
        melody,
    )
    tasks = [asyncio.create_task(talk.stage.run()), asyncio.create_task(talk.conversation.run())]
    await talk.conversation.ready()
    try:
        yield talk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
