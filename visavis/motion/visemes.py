"""From phonemes (IPA) to visemes, and from visemes to ARKit blendshapes.

The fifteen classes are those of the Oculus/MPEG-4 viseme sets. A phoneme is a string in the vocabulary of
the synthesisers (misaki's IPA: ``A I O Q W Y`` are diphthongs, ``ʧ ʤ ʦ`` single letters); stress, tone,
length and aspiration marks are ignored. The targets are modest on purpose: a jaw beyond 0.32 looks like
shouting, a funnel beyond 0.4 distorts the lips of a baked mouth.
"""

from __future__ import annotations

import unicodedata
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis import log
from visavis.motion.frame import ARKIT, ARKIT_INDEX

_LOG = log.get(__name__)


class Viseme(IntEnum):
    """Mouth classes; ``sil`` is the mouth at rest."""

    sil = 0
    PP = 1
    FF = 2
    TH = 3
    DD = 4
    kk = 5
    CH = 6
    SS = 7
    nn = 8
    RR = 9
    aa = 10
    E = 11
    ih = 12
    oh = 13
    ou = 14


Share = tuple[Viseme, float]
"""A viseme and the part of the phoneme's duration it fills (the parts of one phoneme add up to 1)."""

_CLASSES: Final[dict[Viseme, str]] = {
    Viseme.PP: "pbmɓʘɸβ",
    Viseme.FF: "fvɱʋ",
    Viseme.TH: "θð",
    Viseme.DD: "tdɾɗTʈɖ",
    Viseme.kk: "kgɡxhɣqŋχɦçʝcɟʔ",
    Viseme.CH: "ʃʒʧʤʂʐꭧꭦ",
    Viseme.SS: "szʦʣɕʑʨʥ",  # the Mandarin alveolo-palatals are said with spread lips
    Viseme.nn: "nlɲɳɭɫɬʎ",
    Viseme.RR: "ɹrɻɽʁʀɚɝ",
    Viseme.aa: "aɑɐæʌ",
    Viseme.E: "eɛəᵊɘɜɤɞ",
    Viseme.ih: "iɪjɨᵻɯ",
    Viseme.oh: "oɔɒøœɵ",
    Viseme.ou: "uʊwyʏʉɥʍ",
}
_LETTER: Final[dict[str, Viseme]] = {letter: viseme for viseme, letters in _CLASSES.items() for letter in letters}

_DIPHTHONGS: Final[dict[str, tuple[Viseme, Viseme]]] = {
    "A": (Viseme.E, Viseme.ih),
    "I": (Viseme.aa, Viseme.ih),
    "O": (Viseme.oh, Viseme.ou),
    "Q": (Viseme.E, Viseme.ou),
    "W": (Viseme.aa, Viseme.ou),
    "Y": (Viseme.oh, Viseme.ih),
}
_FIRST_SHARE: Final = 0.58  # a diphthong's nucleus lasts longer than its glide

_MARKS: Final = frozenset("ˈˌːˑʰʲʷˠˤ˞ʼ'`0123456789→↗↘↓↑˥˦˧˨˩^_‿-")
"""Letters that say how, not what: they move no lip of their own."""


def _letters(phoneme: str) -> str:
    decomposed = unicodedata.normalize("NFD", phoneme)
    kept = [c for c in decomposed if c not in _MARKS and not unicodedata.combining(c)]
    return unicodedata.normalize("NFC", "".join(kept))


def _is_pause(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter)[0] in "PZ" or letter in "$|"


@lru_cache(maxsize=1024)
def visemes_of(phoneme: str) -> tuple[Share, ...]:
    """The visemes of one phoneme in order; empty for a pure mark (stress, tone), ``sil`` for a pause or "".

    A letter that no table knows is taken for a neutral vowel and logged once.
    """
    if phoneme == "" or phoneme.isspace():
        return ((Viseme.sil, 1.0),)
    letters = _letters(phoneme)
    if not letters:
        return ()
    found: list[Share] = []
    for letter in letters:
        if letter in _DIPHTHONGS:
            first, second = _DIPHTHONGS[letter]
            found += [(first, _FIRST_SHARE), (second, 1 - _FIRST_SHARE)]
        elif letter in _LETTER:
            found.append((_LETTER[letter], 1.0))
        elif _is_pause(letter):
            found.append((Viseme.sil, 1.0))
        else:
            _LOG.warning("unknown phoneme, taken for a neutral vowel", phoneme=phoneme, letter=letter)
            found.append((Viseme.E, 1.0))
    total = sum(share for _, share in found)
    return tuple((viseme, share / total) for viseme, share in found)


def is_known(phoneme: str) -> bool:
    """Whether every letter of the phoneme is in a table (a mark, a pause, a vowel or a consonant)."""
    return all(c in _LETTER or c in _DIPHTHONGS or _is_pause(c) for c in _letters(phoneme))


_BOTH: Final = frozenset(
    ("mouthDimple", "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "mouthFrown")
)

_TARGETS: Final[dict[Viseme, dict[str, float]]] = {
    Viseme.sil: {},
    Viseme.PP: {"jawOpen": 0.02, "mouthClose": 0.04, "mouthPress": 0.35, "mouthRollLower": 0.14, "mouthRollUpper": 0.1},
    Viseme.FF: {"jawOpen": 0.04, "mouthRollLower": 0.38, "mouthUpperUp": 0.14, "mouthShrugUpper": 0.08},
    Viseme.TH: {
        "jawOpen": 0.1,
        "mouthLowerDown": 0.18,
        "mouthUpperUp": 0.1,
        "mouthStretch": 0.05,
        "tongueOut": 0.24,
    },
    Viseme.DD: {"jawOpen": 0.09, "mouthLowerDown": 0.16, "mouthUpperUp": 0.08, "mouthStretch": 0.06},
    Viseme.kk: {"jawOpen": 0.12, "mouthLowerDown": 0.14, "mouthUpperUp": 0.06},
    Viseme.CH: {
        "jawOpen": 0.08,
        "mouthFunnel": 0.32,
        "mouthPucker": 0.14,
        "mouthLowerDown": 0.12,
        "mouthUpperUp": 0.1,
    },
    Viseme.SS: {
        "jawOpen": 0.04,
        "mouthStretch": 0.18,
        "mouthSmile": 0.06,
        "mouthLowerDown": 0.22,
        "mouthUpperUp": 0.12,
    },
    Viseme.nn: {
        "jawOpen": 0.1,
        "mouthLowerDown": 0.15,
        "mouthUpperUp": 0.06,
        "mouthStretch": 0.04,
        "tongueOut": 0.06,
    },
    Viseme.RR: {"jawOpen": 0.1, "mouthFunnel": 0.22, "mouthPucker": 0.15, "mouthLowerDown": 0.08},
    Viseme.aa: {"jawOpen": 0.32, "mouthLowerDown": 0.26, "mouthUpperUp": 0.14, "mouthStretch": 0.04},
    Viseme.E: {"jawOpen": 0.2, "mouthStretch": 0.16, "mouthLowerDown": 0.24, "mouthUpperUp": 0.12},
    Viseme.ih: {
        "jawOpen": 0.11,
        "mouthStretch": 0.24,
        "mouthSmile": 0.12,
        "mouthLowerDown": 0.2,
        "mouthUpperUp": 0.1,
    },
    Viseme.oh: {"jawOpen": 0.24, "mouthFunnel": 0.34, "mouthPucker": 0.16, "mouthLowerDown": 0.08},
    Viseme.ou: {"jawOpen": 0.11, "mouthFunnel": 0.26, "mouthPucker": 0.42},
}


def _row(weights: dict[str, float]) -> npt.NDArray[np.float32]:
    row = np.zeros(len(ARKIT), np.float32)
    for name, weight in weights.items():
        for full in (f"{name}Left", f"{name}Right") if name in _BOTH else (name,):
            row[ARKIT_INDEX[full]] = weight
    return row


TARGETS: Final[npt.NDArray[np.float32]] = np.stack([_row(_TARGETS[viseme]) for viseme in Viseme])
"""Shape (15, 52): the blendshapes of each viseme said alone, 0..1."""
TARGETS.setflags(write=False)

# How strongly a viseme insists on a group of shapes when neighbours want something else
# (the amplitude of its dominance, Cohen & Massaro 1993). /k/ lets the vowels decide over the lips, /u/ does not.
_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "round": ("mouthFunnel", "mouthPucker"),
    "spread": ("mouthStretchLeft", "mouthStretchRight", "mouthSmileLeft", "mouthSmileRight"),
    "lips": ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    "tongue": ("tongueOut",),
}
_STRENGTH: Final[dict[Viseme, tuple[float, float, float, float, float]]] = {  # jaw and all else, then the groups
    Viseme.sil: (0.9, 0.7, 0.7, 0.9, 0.9),
    Viseme.PP: (0.5, 0.2, 0.2, 0.5, 0.5),  # locks close these two, see articulation
    Viseme.FF: (0.5, 0.2, 0.2, 0.5, 0.5),
    Viseme.TH: (0.8, 0.2, 0.3, 0.8, 3.0),  # only the tongue tells a th from a d
    Viseme.DD: (0.8, 0.15, 0.2, 0.5, 0.6),
    Viseme.kk: (0.4, 0.1, 0.1, 0.3, 0.4),
    Viseme.CH: (0.9, 1.0, 0.7, 0.8, 0.6),
    Viseme.SS: (1.0, 0.35, 0.7, 0.9, 0.8),
    Viseme.nn: (0.7, 0.15, 0.2, 0.5, 1.2),
    Viseme.RR: (0.6, 0.7, 0.5, 0.5, 0.5),
    Viseme.aa: (2.0, 0.8, 0.8, 1.4, 0.6),
    Viseme.E: (1.5, 0.8, 1.1, 1.2, 0.6),
    Viseme.ih: (1.2, 1.0, 1.4, 1.1, 0.6),
    Viseme.oh: (1.6, 1.6, 1.3, 1.2, 0.6),
    Viseme.ou: (1.2, 1.7, 1.3, 1.2, 0.6),
}


def _strengths() -> npt.NDArray[np.float32]:
    table = np.empty((len(Viseme), len(ARKIT)), np.float32)
    for viseme, (rest, *groups) in _STRENGTH.items():
        table[viseme] = rest
        for names, value in zip(_GROUPS.values(), groups, strict=True):
            table[viseme, [ARKIT_INDEX[name] for name in names]] = value
    return table


STRENGTHS: Final[npt.NDArray[np.float32]] = _strengths()
"""Shape (15, 52): the amplitude of each viseme's dominance over each shape."""
STRENGTHS.setflags(write=False)


def _widths(table: dict[str, float], rest: float) -> npt.NDArray[np.float32]:
    widths = np.full(len(ARKIT), rest, np.float32)
    for group, width in table.items():
        widths[[ARKIT_INDEX[name] for name in _GROUPS[group]]] = width
    widths.setflags(write=False)
    return widths


# How far in time a viseme reaches: lips round for an /u/ while the consonants before it still sound, the jaw and the
# tongue move only when they must.
ANTICIPATION: Final = _widths({"round": 0.085, "spread": 0.08, "tongue": 0.05}, 0.07)
"""Shape (52,): width of the flank before a phoneme, seconds (10 % at 1.5 times that)."""
CARRY_OVER: Final = _widths({"round": 0.06, "tongue": 0.04}, 0.05)
"""Shape (52,): width of the flank after it, seconds."""
