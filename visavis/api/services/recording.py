"""Speech as files: WAV, subtitles (SRT), and time stamps (JSON), made sentence by sentence."""

from __future__ import annotations

import asyncio
import json
import os
import textwrap
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from visavis.dialogue.phrases import sentences
from visavis.speech.lexicon import NOTHING, Lexicon, Reading, moved
from visavis.speech.normalise import has_han
from visavis.speech.ssml import Break, Piece, parse
from visavis.speech.types import NORMAL, Language, Synthesiser, VoiceSettings

SOUND: Final = "audio.wav"
SUBTITLES: Final = "audio.srt"
TIMES: Final = "audio.json"

_SLOWEST, _FASTEST = 50, 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be spoken and which files are to be made.

    Attributes:
        text: with tags of SSML, perhaps.
        shown: what subtitles show instead of ``text``, sentence by sentence; empty, or with another number of sentences: that.
        lexicon: words that are read in another way.
        channels: 1 or 2 (twice the same).
        subtitle_length: characters of a line of subtitles; 0: a sentence is one line.
        subtitle_lines: lines that are shown at once; 0 counts as 1.
    """

    text: str
    voice: str
    settings: VoiceSettings = NORMAL
    shown: str = ""
    lexicon: Lexicon = NOTHING
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
    """Speak the text into files of ``folder``, which is made.

    Returns:
        The names of the files, the sound first; none: nothing in the text can be spoken.

    Raises:
        SsmlError: a tag cannot be read.
    """
    script = parse(wanted.text)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    language: Language = "zh" if any(has_han(one.text) for one in script if isinstance(one, Piece)) else "en"
    spoken: list[_Spoken] = []
    part = folder / f"{SOUND}.part"
    samples, rate = 0, synthesiser.sample_rate
    with await asyncio.to_thread(part.open, "wb") as file, wave.open(file, "wb") as sound:
        sound.setnchannels(wanted.channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        for one in script:
            if isinstance(one, Break):
                silence = np.zeros(round(one.seconds * rate) * wanted.channels, "<i2")
                await asyncio.to_thread(sound.writeframes, silence.tobytes())
                samples += len(silence) // wanted.channels
                continue
            readings = await asyncio.to_thread(wanted.lexicon.find, one.text, one.readings)
            for begin, end in _sentences(one.text, language, readings):
                sentence, settings = one.text[begin:end], _settings(wanted, one, moved(readings, begin, end))
                start, phonemes = samples / rate, []
                async for chunk in synthesiser.say(sentence, wanted.voice, language, settings):
                    pcm = np.repeat(chunk.pcm, wanted.channels).astype("<i2")
                    await asyncio.to_thread(sound.writeframes, pcm.tobytes())
                    samples += len(chunk.pcm)
                    phonemes += [
                        {"phoneme": sign.phoneme, "start_ms": _ms(start + sign.start), "end_ms": _ms(start + sign.end)}
                        for sign in chunk.phonemes
                    ]
                if samples / rate > start:
                    spoken.append(_Spoken(sentence, start, samples / rate, phonemes))
    if not spoken:
        await asyncio.to_thread(part.unlink)
        return []
    if wanted.shown:
        shown = sentences(wanted.shown, language)
        if len(shown) == len(spoken):
            spoken = [replace(one, text=text) for one, text in zip(spoken, shown, strict=True)]
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


def _sentences(text: str, language: Language, readings: Sequence[Reading]) -> Iterator[tuple[int, int]]:
    """Where the sentences are; a word with a reading of its own is never cut."""
    begin = end = 0
    for sentence in sentences(text, language):
        start = text.find(sentence, end)
        if start < 0:  # it is not as it stood in the text: what is left is spoken in one go
            break
        if end > begin and any(one.start < start < one.end or one.start < end < one.end for one in readings):
            end = start + len(sentence)
            continue
        if end > begin:
            yield begin, end
        begin, end = start, start + len(sentence)
    else:
        if end > begin:
            yield begin, end
        return
    yield begin, len(text)


def _settings(wanted: Wanted, piece: Piece, readings: tuple[Reading, ...]) -> VoiceSettings:
    speed = min(max(round(wanted.settings.speed * piece.rate), _SLOWEST), _FASTEST)
    return replace(wanted.settings, speed=speed, readings=readings)


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
