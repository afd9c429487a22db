"""The catalogue of embedded voices, and the style tables of those that Kokoro speaks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.errors import VisavisError
from visavis.speech.types import Language, Voice

FOLDER = Path(__file__).parent
MAX_TOKENS = 256
"""Longest token sequence (pads not counted) that a style table covers."""
DEFAULT = "default"

Styles = npt.NDArray[np.float32]


class UnknownVoice(VisavisError):
    """No embedded voice has this id."""


@dataclass(frozen=True, slots=True)
class EmbeddedVoice:
    """A voice and how it is made. ``style``: Kokoro's table, or "" for hibari; ``gain_db`` brings it to -19 LUFS."""

    voice: Voice
    style: str
    gain_db: float


def _voice(
    voice_id: str, name: str, languages: tuple[Language, ...], sex: str, engine: str, style: str, gain: float
) -> EmbeddedVoice:
    return EmbeddedVoice(Voice(voice_id, name, languages, "female" if sex == "f" else "male", engine), style, gain)


CATALOGUE: dict[str, EmbeddedVoice] = {
    entry.voice.id: entry
    for entry in (
        _voice("en-heart", "Heart", ("en",), "f", "hibari", "", 7.2),
        _voice("en-heart-rich", "Heart (richer, slower to start)", ("en",), "f", "kokoro", "af_heart", 3.6),
        _voice("en-michael", "Michael", ("en",), "m", "kokoro", "am_michael", 4.7),
        _voice("zh-xiaoxiao", "晓晓", ("zh", "en"), "f", "kokoro", "zf_xiaoxiao", -3.1),
        _voice("zh-xiaoyi", "晓伊", ("zh", "en"), "f", "kokoro", "zf_xiaoyi", -0.5),
        _voice("zh-yunjian", "云健", ("zh", "en"), "m", "kokoro", "zm_yunjian", 1.7),
        _voice("zh-yunxi", "云希", ("zh", "en"), "m", "kokoro", "zm_yunxi", 1.4),
    )
}
DEFAULTS: dict[Language, str] = {"en": "en-heart", "zh": "zh-xiaoxiao"}
_DEFAULT_VOICE = Voice(DEFAULT, "Default (Heart in English, 晓晓 in Mandarin)", ("en", "zh"), "female", "embedded")

# Of the npz files beside this module, made by tools/fetch_kokoro_voices.py.
_SHA256 = {
    "statistics": "1cbbd2c60fa83eb7dfe30ba4b2700c1027eecbb8fcdab2b98d488b144564e53f",
    "af_heart": "ffebb54d831dc45ebd69814d2ee57352307812e4b2dc26e6281d93aa51068a59",
    "am_michael": "a6fd2955f5ec87138e59a1eef0d3831af9aa05f3966a2365ac5c9ceee3996988",
    "zf_xiaoxiao": "82bdb8943e239b8afba3a17f45db4c78efa022c22636961b27be9ca2655ee670",
    "zf_xiaoyi": "53572f1ad7bc42a67d48d74343d988d8af2834d7e31d64635221801feda8b5c1",
    "zm_yunjian": "3fc3edfaef12753e6c8fcb7be5153003089990cd6badc3b301d8f586f015735d",
    "zm_yunxi": "391d85230156608ad97cb40545d0a9580f246e2106d08504168e467af3ecd1c7",
}


def all_voices() -> tuple[Voice, ...]:
    """Every voice, ``default`` first."""
    return (_DEFAULT_VOICE, *(entry.voice for entry in CATALOGUE.values()))


def resolve(voice_id: str, language: Language) -> EmbeddedVoice:
    """The voice of this id; "" and ``default`` are the default of ``language``. Raises UnknownVoice."""
    if voice_id in ("", DEFAULT):
        return CATALOGUE[DEFAULTS[language]]
    try:
        return CATALOGUE[voice_id]
    except KeyError:
        raise UnknownVoice(f"no voice {voice_id!r}; there are: {', '.join((DEFAULT, *CATALOGUE))}") from None


def load_statistics(name: str) -> Styles:
    """What a voice's sound measures in the channels that Kokoro's generator normalises, as a function of the share of a
    clause in which it speaks: float32, shape (4, NORM_CHANNELS), mean and its slope, logarithm of the variance and its
    slope. Made by tools/voice/measure_statistics.py. Raises VisavisError when the file was changed."""
    file = FOLDER / "statistics.npz"
    if hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256["statistics"]:
        raise VisavisError(f"the voice file {file.name} is corrupted: reinstall visavis")
    with np.load(file) as archive:
        statistics: Styles = archive[name].astype(np.float32)
    return statistics


def load_styles(name: str) -> Styles:
    """A Kokoro style table, float32, shape (MAX_TOKENS, 256). Raises VisavisError when the file was changed."""
    file = FOLDER / f"{name}.npz"
    if hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256[name]:
        raise VisavisError(f"the voice file {file.name} is corrupted: reinstall visavis")
    with np.load(file) as archive:
        styles: Styles = archive["style"]
    return styles
