"""The hearing side of a session: the microphone's gate, the echo, the wake words, and what was not understood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine
from typing import Any, Protocol

import numpy as np

from visavis.dialogue import phrases
from visavis.media.types import Pcm
from visavis.session.microphone import Microphone, Turns
from visavis.session.misheard import Misheard
from visavis.session.recording import Recording
from visavis.session.spec import ChatState, JobSpec
from visavis.session.stage import Stage
from visavis.session.waking import WakeWords
from visavis.speech.echo import EchoCanceller
from visavis.speech.types import Language


class Hearer(Turns, Protocol):
    """Who hears what comes through."""

    async def hear(self, pcm: bytes) -> None: ...


class Awake(Protocol):
    """Who sleeps and wakes."""

    @property
    def chat_state(self) -> ChatState: ...

    def wake(self, wakeup_type: str) -> None: ...

    async def say(self, text: str) -> None: ...


class Listening:
    """Between the room's microphone and the conversation of one session."""

    def __init__(
        self,
        spec: JobSpec,
        stage: Stage,
        session: Awake,
        run: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[], None],
        recording: Recording | None = None,
    ) -> None:
        """
        Args:
            run: starts what takes time.
            changed: told when the microphone's mode changed, or it was opened or closed.
            recording: gets what was heard; what is only listened to for a wake word is not kept.
        """
        self._spec, self._stage, self._session = spec, stage, session
        self._run, self._changed, self._recording = run, changed, recording
        self._words = WakeWords(spec.turn_taking.wake_words)
        self._misheard = Misheard()
        self._language: Language = spec.language or spec.default_language
        self._round_trip: Callable[[], float] = lambda: 0.0
        self._hearer: Hearer
        self.microphone: Microphone

    def attach(self, hearer: Hearer, round_trip: Callable[[], float]) -> None:
        """``round_trip``: the network's way to the client and back, in seconds."""
        self._hearer, self._round_trip = hearer, round_trip
        self.microphone = Microphone(self._spec.turn_taking, hearer, self._run, self._changed, self._canceller)

    async def pump(self, chunks: AsyncIterable[Pcm]) -> None:
        """Hand on what the microphone brings, until it ends."""
        async for chunk in chunks:
            if (echo := self.microphone.echo) is not None:
                echo.path(self._round_trip())
            pcm = self.microphone.take(chunk)
            if self._recording is not None:
                self._recording.heard(np.zeros_like(pcm) if self.deaf else pcm)
            await self._hearer.hear(pcm.tobytes())

    # --- asleep -------------------------------------------------------------------------------------------------------

    @property
    def deaf(self) -> bool:
        """Whether all but a wake word is ignored."""
        return bool(self._words) and self._session.chat_state is ChatState.ASLEEP

    def admit(self, text: str, language: Language, *, final: bool = True) -> str | None:
        """What of a spoken turn is meant for the digital human; None: nothing.

        ``final``: the turn is over; before that nothing happens but the question being answered here.
        """
        if not self.deaf:
            return text
        call = self._words.find(text)
        if call is None:
            return None
        if final:
            self._session.wake("VOICE")
            if not call.rest:
                self._run(self._session.say(phrases.HERE[language]))
        return call.rest or None

    # --- what happens ---------------------------------------------------------------------------------------------------

    def person(self, speaking: bool) -> None:
        """The person's voice begins or stops."""
        self._misheard.voice(speaking, asyncio.get_running_loop().time())
        self.microphone.person(speaking)

    def understood(self, language: Language) -> None:
        """A question is complete."""
        self._language = language
        self._misheard.understood()
        self.microphone.turn_over()

    def nothing_heard(self) -> None:
        """A turn is over, and nobody said a word that could be understood."""
        self.microphone.turn_over()
        if self._misheard.nothing() and not self.deaf:
            self._run(self._session.say(phrases.NOT_HEARD[self._language]))

    def failed(self) -> None:
        """Recognition failed: it is to blame if nothing is understood."""
        self._misheard.failed()

    def _canceller(self) -> EchoCanceller:
        """A canceller that is told what goes out, beside the recording."""
        canceller = EchoCanceller(self._stage.clock, loud=self._spec.turn_taking.echo == "loud")
        recording = self._recording

        def sounds(pcm: Pcm, position: int) -> None:
            if self.microphone.echo is canceller:
                canceller.played(pcm, position)
            if recording is not None:
                recording.said(pcm, position)

        self._stage.on_sound = sounds
        return canceller

    def close(self) -> None:
        """No timer goes off any more."""
        self.microphone.close()
