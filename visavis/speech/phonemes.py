"""The phoneme symbols that leave the synthesisers, one Unicode character each.

Both embedded engines use the Kokoro alphabet (misaki's conventions): IPA, with capital letters for English diphthongs.
What ``PhonemeTiming.phoneme`` may hold is ``""`` (silence) or one character of ``ENGLISH`` or ``MANDARIN``; a voice
that speaks a mixed sentence uses both. Modifiers (stress, length, aspiration, tones) never leave the engine: their time
is counted to the phoneme they modify (``visavis.speech.timing``). A diphthong of Mandarin is two phonemes (``ai`` is
``a``, ``i``), one of English is one symbol (``I``).
"""

from __future__ import annotations

SILENCE = ""
"""Pauses at punctuation, and before and after the sentence."""

ENGLISH_VOWELS: dict[str, str] = {
    "A": "eɪ as in day",
    "I": "aɪ as in my",
    "O": "oʊ as in go (American)",
    "Q": "əʊ as in go (British)",
    "W": "aʊ as in now",
    "Y": "ɔɪ as in boy",
    "a": "a as in cat (British)",
    "i": "as in see",
    "u": "as in too",
    "æ": "as in cat",
    "ɐ": "reduced a",
    "ɑ": "as in father",
    "ɒ": "as in lot (British)",
    "ɔ": "as in law",
    "ə": "as in about",
    "ɛ": "as in bed",
    "ɜ": "as in bird (an ɹ follows in American)",
    "ɪ": "as in sit",
    "ʊ": "as in good",
    "ʌ": "as in cup",
    "ᵊ": "a very short ə, as in button",
    "ᵻ": "between ə and ɪ, as in roses",
}
ENGLISH_CONSONANTS: dict[str, str] = {
    "T": "flap ɾ as in water",
    "b": "b",
    "d": "d",
    "f": "f",
    "h": "h",
    "j": "as in yes",
    "k": "k",
    "l": "l",
    "m": "m",
    "n": "n",
    "p": "p",
    "s": "s",
    "t": "t",
    "v": "v",
    "w": "w",
    "z": "z",
    "ð": "as in this",
    "ŋ": "as in sing",
    "ɡ": "g",
    "ɹ": "r",
    "ɾ": "flap, where the lexicon writes it so",
    "ʃ": "as in she",
    "ʒ": "as in measure",
    "ʔ": "glottal stop",
    "ʤ": "as in judge",
    "ʧ": "as in church",
    "θ": "as in thin",
}
MANDARIN_VOWELS: dict[str, str] = {
    "a": "a; first half of ai, ao",
    "e": "in ie, üe, ei",
    "i": "i; second half of ai, ei",
    "o": "in uo, ou",
    "u": "u; second half of ao, ou",
    "y": "ü",
    "ɔ": "the interjection o",
    "ɚ": "er",
    "ə": "in en, eng",
    "ɛ": "in ian, üan",
    "ɤ": "e",
    "ɨ": "the i of zhi, chi, shi, ri, zi, ci, si",
    "ʊ": "in ong, iong",
}
MANDARIN_CONSONANTS: dict[str, str] = {
    "f": "f",
    "h": "in the interjections hm, hng",
    "j": "i before a vowel",
    "k": "g, k",
    "l": "l",
    "m": "m",
    "n": "n",
    "p": "b, p",
    "s": "s",
    "t": "d, t",
    "w": "u before a vowel",
    "x": "h",
    "ŋ": "ng",
    "ɕ": "x",
    "ɥ": "ü before a vowel",
    "ɻ": "r",
    "ʂ": "sh",
    "ʦ": "z, c",
    "ʨ": "j, q",
    "ꭧ": "zh, ch",
}

ENGLISH = frozenset(ENGLISH_VOWELS) | frozenset(ENGLISH_CONSONANTS)
MANDARIN = frozenset(MANDARIN_VOWELS) | frozenset(MANDARIN_CONSONANTS)
PHONEMES = ENGLISH | MANDARIN

MODIFIERS_BEFORE = frozenset("ˈˌ")
"""Stress: written before the phoneme it modifies."""
MODIFIERS_AFTER = frozenset("ːʰʲ→↗↘↓\u0303")
"""Length, aspiration, palatalisation, tones 1, 2, 4, 3 and nasalisation: written after the phoneme they modify."""
