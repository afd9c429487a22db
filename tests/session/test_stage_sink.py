"""Which utterance a synthesised sound belongs to, when synthesis passes over some or speaks of what was cut."""

from __future__ import annotations

from pipecat.frames.frames import AggregatedTextFrame

from visavis.session.processors import Script, StageSink
from visavis.session.script import Utterance


class Ended:
    def __init__(self) -> None:
        self.finished: list[str] = []

    def finish(self, utterance: Utterance) -> None:
        self.finished.append(utterance.text)


def announced(sink: StageSink, text: str) -> Utterance | None:
    frame = AggregatedTextFrame(text, "sentence")
    frame.context_id = text
    sink._announce(frame)
    return sink._utterances.get(text)


def test_what_synthesis_passes_over_is_over_and_the_past_takes_nothing_away() -> None:
    script, stage = Script(), Ended()
    sink = StageSink(stage, script)  # type: ignore[arg-type]
    one, two, three = (Utterance(text, "en", "c") for text in ("One.", "Two.", "Three."))
    script.pending.extend((one, two, three))
    assert announced(sink, "Of the answer before.") is None
    assert stage.finished == []
    assert announced(sink, "Two. ") is two
    assert stage.finished == ["One."], "or the turn would wait for it"
    assert announced(sink, "Three.") is three
    assert stage.finished == ["One."]
