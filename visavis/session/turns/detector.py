"""Voice activity as the pipeline hears of it: onsets and lulls at once, the beginning and the end of speech a little later."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection

from visavis.session.turns.frames import (
    EndTurnFrame,
    LullFrame,
    LullOverFrame,
    OnsetFrame,
    OnsetOverFrame,
    SilenceFrame,
)
from visavis.speech.types import VoiceActivity

START_S: Final = 0.2
"""A voice for so long is somebody who speaks."""
STOP_S: Final = 0.2
"""So much silence is a pause."""
ONSET_S: Final = 0.032
"""Something like a voice for so long is worth falling silent for."""
ONSET_PROBABILITY: Final = 0.4
"""While the digital human sounds, this probability of speech is like a voice: it costs little to fall silent. Of the
recordings' questions the first such frame is over 47 ms after their beginning (median; 0.11 s for 97 of 100). Their coughs have
one, too, the keyboards none, and 126 s of their noise 7; from 0.3 on it would be 23."""
LOUD_PROBABILITY: Final = 0.15
"""And this, if it is half as loud as the person's usual voice: keys and rustling are below it, a first vowel may be no more."""
LOUD: Final = 0.5
LULL_S: Final = 0.064
"""So much silence is worth beginning to recognise what was said."""
WATCHED_S: Final = 10.0
"""A silence is told of for so long, if no turn ends before."""

FAINTEST: Final = 100.0
"""Root mean square below which (-50 dBFS) nobody speaks to this microphone ..."""
LEVEL_FRAMES: Final = 12
"""... in so many frames, 0.4 s."""
BESIDE: Final = 0.2
"""While the digital human sounds, what is so much fainter (14 dB) than the person's usual voice is its echo, or somebody else."""
QUIET_PROBABILITY: Final = 0.1
"""Below this probability of speech nobody speaks ..."""
QUIET_FRAMES: Final = 2
"""... if it is so in so many frames."""


class EmbeddedActivity(VADAnalyzer):
    """A :class:`~visavis.speech.types.VoiceActivity` as Pipecat's voice activity analyser."""

    def __init__(self, activity: VoiceActivity) -> None:
        super().__init__(
            sample_rate=activity.sample_rate, params=VADParams(start_secs=START_S, stop_secs=STOP_S, min_volume=0.0)
        )
        self._activity = activity
        self._vad_state = VADState.QUIET  # the base knows it only once it is told the rate
        self._quiet_frames = 0
        self._alike_frames = 0  # in a row
        self.alike = self.params.confidence
        self.loud = np.inf
        # Pipecat's own measure of loudness rises so slowly that a voice out of silence is noticed 0.15 s late.
        self._levels: deque[float] = deque(maxlen=LEVEL_FRAMES)
        self.faintest = FAINTEST

    @property
    def level(self) -> float:
        """The loudest frame of the last moment, root mean square."""
        return max(self._levels, default=0.0)

    def num_frames_required(self) -> int:
        return self._activity.frame_samples

    @property
    def voice_s(self) -> float:
        """How long something has been like a voice that is not sure to be one; 0: it is, or there is none."""
        return self._seconds(self._alike_frames if self._vad_state in (VADState.QUIET, VADState.STARTING) else 0)

    @property
    def silence_s(self) -> float:
        """How long the person who speaks has been silent."""
        return self._seconds(self._vad_stopping_count if self._vad_state == VADState.STOPPING else 0)

    def _seconds(self, frames: int) -> float:
        return frames * self._activity.frame_samples / self._activity.sample_rate

    def forget(self) -> None:
        """Whoever spoke does not any more."""
        self.set_params(self.params)

    def voice_confidence(self, buffer: bytes) -> float:
        pcm = np.frombuffer(buffer, np.int16)
        probability = self._activity.probability(pcm)
        self._levels.append(float(np.sqrt(np.square(pcm.astype(np.float32)).mean())))
        # A recurrent detector drifts on music and long noise: in clear quiet it begins anew; not in a pause between two words,
        # where it would miss a faint beginning of the next.
        self._quiet_frames = self._quiet_frames + 1 if probability < QUIET_PROBABILITY else 0
        if self._quiet_frames >= QUIET_FRAMES and self._vad_state == VADState.QUIET:
            self._activity.reset()
            self._quiet_frames = 0
        if self.level < self.faintest:
            probability = 0.0
        loud = self._levels[-1] >= self.loud
        alike = probability >= (LOUD_PROBABILITY if loud else self.alike)
        self._alike_frames = self._alike_frames + 1 if alike else 0
        return probability


class Detector(VADProcessor):
    """Pipecat's detector, which also tells of onsets and lulls before they are sure to be the beginning and end of speech."""

    def __init__(self, activity: VoiceActivity) -> None:
        self._analyser = EmbeddedActivity(activity)
        super().__init__(vad_analyzer=self._analyser)
        self._onset = self._lull = self._speaking = False
        self._silence_s = 0.0  # 0: not watched
        self._sounding = False  # the digital human
        self._usual = 0.0  # level of the person's voice

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, EndTurnFrame):
            await self._stop()
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._look(frame.num_frames / frame.sample_rate)
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._silence_s = 0.0
        elif isinstance(frame, BotStartedSpeakingFrame | BotStoppedSpeakingFrame):
            self._sounding = isinstance(frame, BotStartedSpeakingFrame)
            self._await_voice()

    def _await_voice(self) -> None:
        """What a voice begins with, by whether the digital human sounds: then sooner, but nothing that may be its echo."""
        analyser, sounding = self._analyser, self._sounding
        analyser.faintest = max(FAINTEST, self._usual * BESIDE) if sounding else FAINTEST
        analyser.alike = ONSET_PROBABILITY if sounding else analyser.params.confidence
        analyser.loud = self._usual * LOUD if sounding and self._usual else np.inf

    async def broadcast_frame(self, frame_cls: type[Frame], **kwargs: object) -> None:
        """As the base does, and notes who speaks."""
        if frame_cls is VADUserStartedSpeakingFrame:
            self._speaking, self._onset, self._lull = True, False, False
            self._silence_s = 0.0
        elif frame_cls is VADUserStoppedSpeakingFrame:
            self._speaking = self._lull = False
        await super().broadcast_frame(frame_cls, **kwargs)

    async def _look(self, seconds: float) -> None:
        """Tell what the last sound, so long, changed."""
        if self._speaking and not self._sounding and not self._silence_s:
            self._usual = self._analyser.level if not self._usual else 0.95 * self._usual + 0.05 * self._analyser.level
        onset = self._analyser.voice_s + 0.001 >= ONSET_S
        if onset != self._onset and not self._speaking:
            self._onset = onset
            await self.push_frame(OnsetFrame() if onset else OnsetOverFrame())
        silence = self._analyser.silence_s
        lull = silence + 0.001 >= LULL_S
        if lull != self._lull and self._speaking:
            self._lull, self._silence_s = lull, silence
            await self.push_frame(LullFrame(silence_s=silence) if lull else LullOverFrame())
        elif 0 < self._silence_s < WATCHED_S:
            self._silence_s += seconds
            await self.push_frame(SilenceFrame(silence_s=self._silence_s))

    async def _stop(self) -> None:
        """The person says that he is done: whatever else is heard."""
        self._analyser.forget()
        self._vad_controller._vad_state = VADState.QUIET
        if self._speaking:
            await self.broadcast_frame(VADUserStoppedSpeakingFrame, stop_secs=0.0)
