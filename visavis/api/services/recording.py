"""Speech as files: WAV, subtitles (SRT), and time stamps (JSON), made sentence by sentence."""

from __future__ import annotations

import asyncio
import json
import os
import re
import textwrap
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from visavis.dialogue.phrases import sentences
from visavis.speech.normalise import has_han
from visavis.speech.types import NORMAL, Language, Synthesiser, VoiceSettings

SOUND: Final = "audio.wav"
SUBTITLES: Final = "audio.srt"
TIMES: Final = "audio.json"

_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be spoken and which files are to be made.

    Attributes:
        channels: 1 or 2 (twice the same).
        subtitle_length: characters of a line of subtitles; 0: a sentence is one line.
        subtitle_lines: lines that are shown at once; 0 counts as 1.
    """

    text: str
    voice: str
    settings: VoiceSettings = NORMAL
    channels: int = 1
    subtitles: bool = False
    subtitle_length: int = 0
    subtitle_lines: int = 1
    times: bool = False


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A sentence; seconds from the start of the sound."""

    text: str
    start: float
    end: float
    phonemes: list[dict[str, Any]]


async def record(synthesiser: Synthesiser, wanted: Wanted, folder: Path) -> list[str]:
    """Speak the text into files of ``folder``, which is made. Tags (SSML) are left out.

    Returns:
        The names of the files, the sound first; none: nothing in the text can be spoken.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    text = _TAG.sub(" ", wanted.text)
    language: Language = "zh" if has_han(text) else "en"
    spoken: list[_Spoken] = []
    part = folder / f"{SOUND}.part"
    samples, rate = 0, synthesiser.sample_rate
    with await asyncio.to_thread(part.open, "wb") as file, wave.open(file, "wb") as sound:
        sound.setnchannels(wanted.channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        for sentence in sentences(text, language):
            start, phonemes = samples / rate, []
            async for chunk in synthesiser.say(sentence, wanted.voice, language, wanted.settings):
                pcm = np.repeat(chunk.pcm, wanted.channels).astype("<i2")
                await asyncio.to_thread(sound.writeframes, pcm.tobytes())
                samples += len(chunk.pcm)
                phonemes += [
                    {"phoneme": one.phoneme, "start_ms": _ms(start + one.start), "end_ms": _ms(start + one.end)}
                    for one in chunk.phonemes
                ]
            if samples / rate > start:
                spoken.append(_Spoken(sentence.strip(), start, samples / rate, phonemes))
    if not samples:
        await asyncio.to_thread(part.unlink)
        return []
    # A file is there with its name only when it is whole.
    await asyncio.to_thread(os.replace, part, folder / SOUND)
    names = [SOUND]
    if wanted.subtitles:
        await asyncio.to_thread((folder / SUBTITLES).write_text, _srt(spoken, wanted), "utf-8")
        names.append(SUBTITLES)
    if wanted.times:
        await asyncio.to_thread((folder / TIMES).write_text, _times(spoken), "utf-8")
        names.append(TIMES)
    return names


def _times(spoken: Sequence[_Spoken]) -> str:
    entries = [
        {"text": one.text, "start_ms": _ms(one.start), "end_ms": _ms(one.end), "phonemes": one.phonemes}
        for one in spoken
    ]
    return json.dumps({"sentences": entries}, ensure_ascii=False)


def _srt(spoken: Sequence[_Spoken], wanted: Wanted) -> str:
    """A sentence's cues share its time by their lengths."""
    cues: list[str] = []
    at_once = max(1, wanted.subtitle_lines)
    for one in spoken:
        lines = textwrap.wrap(one.text, wanted.subtitle_length) if wanted.subtitle_length else [one.text]
        groups = [lines[at : at + at_once] for at in range(0, len(lines), at_once)]
        whole = sum(len(line) for line in lines) or 1
        start = one.start
        for group in groups:
            end = start + (one.end - one.start) * sum(len(line) for line in group) / whole
            cues.append(f"{len(cues) + 1}\n{_stamp(start)} --> {_stamp(end)}\n" + "\n".join(group) + "\n")
            start = end
    return "\n".join(cues)


def _stamp(seconds: float) -> str:
    whole, ms = divmod(_ms(seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{ms:03}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
