"""espeak-ng with phoneme times (Debian: libespeak-ng1, espeak-ng-data): a synthesiser that is only tested with.

It is loaded from the system where there is one; nothing of it is shipped or trained on.
"""

from __future__ import annotations

import ctypes
import ctypes.util

import numpy as np

from hearing.corpus import Phonemes, Said

_SYNCHRONOUS, _PHONEME_EVENTS, _IPA = 2, 0x1, 0x2
_UTF8, _EVENT_END, _EVENT_PHONEME = 1, 0, 7
_RATE_PARAMETER, _PITCH_PARAMETER = 1, 3
VOICES = {
    "en": ("en-us", "en-us+f2", "en-gb-scotland+m3", "en-us+klatt2"),
    "zh": ("cmn-latn-pinyin", "cmn-latn-pinyin+f3", "cmn-latn-pinyin+m7"),
}


def _pinyin(text: str) -> str:
    """Debian's espeak-ng has no dictionary of Chinese characters."""
    from pypinyin import Style, lazy_pinyin

    return " ".join(lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True))


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """One at a time: the library is global."""

    def __init__(self) -> None:
        """Raises OSError if there is no espeak-ng."""
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise OSError("no libespeak-ng: apt-get install libespeak-ng1 espeak-ng-data")
        self._library = ctypes.CDLL(name)
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _IPA)
        self._sound: list[np.ndarray] = []
        self._events: list[tuple[float, str]] = []
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave: object, count: int, events: object) -> int:
        if count and wave:
            self._sound.append(np.ctypeslib.as_array(wave, (count,)).astype(np.int16))  # type: ignore[call-overload]
        index = 0
        while events[index].type != _EVENT_END:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                self._events.append((event.audio_position / 1000, event.string.decode("utf-8", "ignore")))
            index += 1
        return 0

    def say(self, text: str, language: str, voice: str, words_a_minute: int, pitch: int) -> Said:
        """Speak at 24 kHz; phonemes in IPA."""
        import soxr

        self._sound, self._events = [], []
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise OSError(f"espeak-ng has no voice {voice}")
        self._library.espeak_SetParameter(_RATE_PARAMETER, words_a_minute, 0)
        self._library.espeak_SetParameter(_PITCH_PARAMETER, pitch, 0)
        data = (text if language == "en" else _pinyin(text)).encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
        sound = np.concatenate(self._sound).astype(np.float32)
        seconds = len(sound) / self._rate
        sound = soxr.resample(sound, self._rate, 24000)
        sound *= 0.08 * 32768 / (np.sqrt(np.square(sound).mean()) + 1e-9)
        starts = [at for at, _ in self._events] + [seconds]
        phonemes: Phonemes = []
        for (start, symbol), end in zip(self._events, starts[1:], strict=True):
            # "ph" and "tsh" are aspirated in its Mandarin, a second "h" would move the mouth
            kept = symbol.rstrip("h") if len(symbol) > 1 else symbol
            if kept.startswith("("):  # "(en)": another language begins
                kept = ""
            phonemes.append(("".join(c for c in kept if c not in "_:;|.%=~"), start, end))
        return Said(np.clip(sound, -32767, 32767).astype(np.int16), phonemes, f"espeak {voice}", language)
