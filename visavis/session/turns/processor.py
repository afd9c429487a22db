"""Pipecat's turn processor, which also writes what another recogniser than ours heard as one hypothesis of the whole turn."""

from __future__ import annotations

from pipecat.frames.frames import Frame, InterimTranscriptionFrame, TranscriptionFrame, UserStoppedSpeakingFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.turns.user_turn_processor import UserTurnProcessor

from visavis.session.turns.frames import BeginTurnFrame, DismissFrame, HypothesisFrame
from visavis.speech.types import Language


class Turns(UserTurnProcessor):
    """Final transcripts of a Pipecat service become :class:`HypothesisFrame`, which keep their place before the end of the turn."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._texts: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InterimTranscriptionFrame():
                await self._write(frame.text, frame, settled=False)
            case TranscriptionFrame():
                if text := frame.text.strip():
                    self._texts.append(text)
                await self._write("", frame, settled=True)
            case DismissFrame() | BeginTurnFrame():
                self._texts.clear()
            case _:
                pass
        await super().process_frame(frame, direction)

    async def broadcast_frame(self, frame_cls: type[Frame], **kwargs: object) -> None:
        """As the base does; with the end of a turn its texts are done with."""
        if frame_cls in (UserStoppedSpeakingFrame, DismissFrame):
            self._texts.clear()
        await super().broadcast_frame(frame_cls, **kwargs)

    async def _write(self, more: str, frame: TranscriptionFrame | InterimTranscriptionFrame, *, settled: bool) -> None:
        code = str(frame.language.value)[:2] if frame.language else ""
        language: Language | None = "zh" if code == "zh" else "en" if code == "en" else None
        texts = [*self._texts, *([more.strip()] if more.strip() else [])]
        joined = ("" if language == "zh" else " ").join(texts)
        hypothesis = HypothesisFrame(text=joined, language=language, settled=settled)
        await self.push_frame(hypothesis)
        await self._user_turn_controller.process_frame(hypothesis)
