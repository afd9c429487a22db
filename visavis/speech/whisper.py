"""Whisper-base on CTranslate2 with a short window: an utterance costs what it lasts, not what 30 s would.

Whisper was trained on windows of exactly 30 s. Its encoder accepts shorter ones and is then several times cheaper,
but with too little silence behind the speech the decoder repeats itself. ``_window_seconds`` keeps enough of it;
whatever still looks wrong is decoded again with the full window.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.speech import hot_words, models
from visavis.speech.priority import RECOGNITION, yield_to_pictures
from visavis.speech.types import Language, Pcm, Transcript

SAMPLE_RATE = 16000
_FULL_WINDOW = 30.0
_LANGUAGES: tuple[Language, ...] = ("en", "zh")

_QUIET_RMS = 10 ** (-60 / 20)
"""Below -60 dBFS nobody speaks."""
_SHORTEST_SECONDS = 0.1
_BEAM = 2
"""Of the 60 questions in ``demo/recordings`` five paths hear no more than two (0.8 % of characters wrong in English, 4 % in
Mandarin) and take half as long again; a single one hears Mandarin worse (5 %)."""
_NO_SPEECH = 0.6
_DOUBTFUL_LOGPROB = -0.8
_HOPELESS_LOGPROB = -1.3
_REPETITIVE = 2.4
"""Ratio of text to its compressed form, above which the decoder is running in circles."""
_REPEATED = re.compile(r"(.{2,30}?)[\s，,。.!?！？、]*(?:\1[\s，,。.!?！？、]*){3,}", re.DOTALL)
_ECHO = re.compile(r"(\w.{3,}?)(\W*)\1\W*$", re.DOTALL | re.IGNORECASE)
_RESTART = re.compile(r"^([\u3400-\u9fff]{3,}).*[\u3400-\u9fff]\1$")
"""Mandarin that begins again at its end, without a pause: the decoder did not find the end."""
_FASTEST: dict[Language, float] = {"en": 22.0, "zh": 7.5}
"""Characters a second of an utterance, silence included: nobody speaks faster (about 250 words, or 450 characters, a minute)."""

# What the model writes, learnt from subtitles, when it hears noise. Dropped only when it is unsure of it.
_SUBTITLE_NOISE = re.compile(
    r"^\W*(?:you|thanks?(?: you)?(?: (?:so|very) much)?(?: for watching)?|bye|"
    r"(?:please )?subscribe.*|.*字幕.*|.*(?:谢谢|感谢)(?:大家|您的?)?(?:观看|收看).*|.*(?:订阅|点赞).*|[\W\d_]*)\W*$",
    re.IGNORECASE,
)
_SOUND_LABEL = re.compile(r"\[[^\]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|[♪♫*]+")


class _Dropped(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    text: str
    logprob: float
    no_speech: float
    encoded: Any = None
    """What the decoder was given of the sound."""

    @property
    def noise(self) -> bool:
        """Surely no speech: real speech scores far above both bounds."""
        return self.no_speech > _NO_SPEECH and self.logprob < _HOPELESS_LOGPROB

    @property
    def doubtful(self) -> bool:
        """Worth a second look with the full window."""
        return self.repetitive or self.echoes or (self.logprob < _DOUBTFUL_LOGPROB and not self.noise)

    @property
    def echoes(self) -> bool:
        """Its end is said twice: by the person or, with a short window, by the decoder alone."""
        return _ECHO.search(self.text) is not None

    def without_echo(self) -> _Hypothesis:
        """The same without the second saying of its end."""
        return replace(self, text=_ECHO.sub(r"\1\2", self.text).strip())

    @property
    def repetitive(self) -> bool:
        data = self.text.encode()
        return (len(data) > 40 and len(data) / len(zlib.compress(data)) > _REPETITIVE) or bool(
            _REPEATED.search(self.text)
        )


class WhisperRecogniser:
    """Implements ``Recogniser``. All sessions share the model; at most ``concurrency`` utterances are decoded at
    once."""

    def __init__(self, models_dir: Path, threads: int = 1, concurrency: int = 1) -> None:
        """Load the model (blocking, about 2 s) and warm it up. ``threads``: of one recognition."""
        # OpenMP reads this once, when CTranslate2 loads it. By default its threads spin while they wait for each other; on
        # cores that also draw pictures, an utterance then takes seconds instead of 0.2 s.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import ctranslate2
        import opencc
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor

        models.assemble(models_dir)
        folder = models_dir / "whisper-base"
        self._to_features = FeatureExtractor()
        self._storage = ctranslate2.StorageView
        # Made in a thread of lower priority, which the threads that CTranslate2 starts for it inherit.
        with ThreadPoolExecutor(1, initializer=yield_to_pictures, initargs=(RECOGNITION,)) as maker:
            self._model = maker.submit(
                ctranslate2.models.Whisper,
                str(folder),
                device="cpu",
                compute_type="int8",
                intra_threads=threads,
                inter_threads=concurrency,
            ).result()
        self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._simplify = opencc.OpenCC("t2s").convert
        self._pool = ThreadPoolExecutor(concurrency, "whisper", yield_to_pictures, (RECOGNITION,))
        self._hear(np.zeros(SAMPLE_RATE, np.float32), "en", _SHORT, threading.Event())
        self._simplify("預熱")

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    def close(self) -> None:
        """Free the threads; utterances that wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def transcribe(self, pcm: Pcm, language: Language | None = None, *, words: Sequence[str] = ()) -> Transcript:
        """Recognise up to 30 s; of a longer utterance the last 30 s. A cancelled call frees its place at the next
        step."""
        dropped = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._work, pcm, language, words, dropped)
        finally:
            dropped.set()

    def _work(self, pcm: Pcm, language: Language | None, words: Sequence[str], dropped: threading.Event) -> Transcript:
        began = time.perf_counter()
        sound = pcm[-round(_FULL_WINDOW * SAMPLE_RATE) :].astype(np.float32) / 32768.0
        seconds = len(pcm) / SAMPLE_RATE

        def result(text: str, spoken: Language, confidence: float) -> Transcript:
            return Transcript(text, spoken, confidence, seconds, time.perf_counter() - began)

        if seconds < _SHORTEST_SECONDS or float(np.sqrt(np.square(sound).mean())) < _QUIET_RMS:
            return result("", language or "en", 0.0)
        try:
            spoken, heard = self._hear(sound, language, _window_seconds(len(sound) / SAMPLE_RATE), dropped)
            if heard.echoes and not heard.repetitive and len(heard.text) > _FASTEST[spoken] * seconds:
                # Nobody can have said this twice in that time: the decoder did. No need to look again. (What comes four
                # times and more is no echo but the decoder running in circles.)
                heard = heard.without_echo()
            if heard.doubtful:
                spoken, again = self._hear(sound, language, _FULL_WINDOW, dropped)
                if not again.repetitive and (heard.repetitive or heard.echoes or again.logprob > heard.logprob):
                    heard = again
            text = self._clean(heard, spoken)
            if text and words:
                text = self._with_hot_words(text, words, spoken, heard.encoded, seconds, dropped)
        except _Dropped:
            return result("", language or "en", 0.0)
        return result(text, spoken, float(np.exp(heard.logprob)) * (1 - heard.no_speech) if text else 0.0)

    def _hear(
        self, sound: npt.NDArray[np.float32], language: Language | None, window: float, dropped: threading.Event
    ) -> tuple[Language, _Hypothesis]:
        """Decode ``sound`` padded with zeros to ``window`` seconds. Raises _Dropped between steps."""
        if dropped.is_set():
            raise _Dropped
        padded = np.zeros(round(window * SAMPLE_RATE), np.float32)
        padded[: len(sound)] = sound[: len(padded)]
        # The extractor computes one frame more than the window has.
        features = np.ascontiguousarray(self._to_features(padded, padding=0)[None, :, : round(window * 100)])
        encoded = self._model.encode(self._storage.from_array(features.astype(np.float32)))
        if dropped.is_set():
            raise _Dropped
        spoken = language or self._language(encoded)
        prompt = ["<|startoftranscript|>", f"<|{spoken}|>", "<|transcribe|>", "<|notimestamps|>"]
        (best,) = self._model.generate(
            encoded,
            [prompt],
            beam_size=_BEAM,
            patience=1.0,
            max_length=min(448, 32 + round(len(sound) / SAMPLE_RATE * 12)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
        )
        text = self._tokens.decode(best.sequences_ids[0], skip_special_tokens=True).strip()
        return spoken, _Hypothesis(text, float(best.scores[0]), float(best.no_speech_prob), encoded)

    def _with_hot_words(
        self,
        text: str,
        words: Sequence[str],
        language: Language,
        encoded: Any,
        seconds: float,
        dropped: threading.Event,
    ) -> str:
        """``text`` with those hot words that the sound speaks for. Raises _Dropped between steps.

        The decoder weighs the text with a word against the text without it, both with the words in mind as if they had been
        said before. It never writes freely with the words in mind: what it writes of noise then is made of them.
        """
        proposed = hot_words.proposals(text, hot_words.clean(tuple(words)))
        if not proposed:
            return text
        number, frames = self._tokens.token_to_id, max(1, round(min(seconds, _FULL_WINDOW) * 100))
        before = " " + ("、" if language == "zh" else ", ").join(one.word for one in proposed)
        prompt = [number("<|startofprev|>"), *self._tokens.encode(before, add_special_tokens=False).ids]
        prompt += [number(f"<|{one}|>") for one in ("startoftranscript", language, "transcribe", "notimestamps")]

        def likelihood(written: str) -> float:
            if dropped.is_set():
                raise _Dropped
            ids = self._tokens.encode((" " if language == "en" else "") + written, add_special_tokens=False).ids
            (aligned,) = self._model.align(encoded, prompt, [ids], frames)
            return float(np.log(np.maximum(aligned.text_token_probs, 1e-9)).sum())

        plain = likelihood(text)
        gains = [(likelihood(one.put_into(text)) - plain - one.needed, one) for one in proposed]
        return hot_words.put_together(text, [one for gain, one in sorted(gains, key=lambda g: -g[0]) if gain > 0])

    def _language(self, encoded: Any) -> Language:
        chances: Sequence[tuple[str, float]] = self._model.detect_language(encoded)[0]
        chance = dict(chances)
        return max(_LANGUAGES, key=lambda language: chance.get(f"<|{language}|>", 0.0))

    def _clean(self, heard: _Hypothesis, language: Language) -> str:
        """What was said, or "" if this is what the model makes of noise."""
        text = _SOUND_LABEL.sub("", heard.text).strip()
        if not any(character.isalnum() for character in text):
            return ""
        unsure = heard.no_speech > _NO_SPEECH
        if heard.logprob < _HOPELESS_LOGPROB or (unsure and heard.logprob < _DOUBTFUL_LOGPROB):
            return ""
        if (unsure or heard.logprob < _DOUBTFUL_LOGPROB) and _SUBTITLE_NOISE.match(text):
            return ""
        if heard.repetitive:
            return ""
        if language != "zh":
            return text
        if again := _RESTART.match(text):
            text = text[: -len(again[1])]
        return str(self._simplify(text))


def _window_seconds(duration: float) -> float:
    """Twice the duration, but at least 4 s of silence behind it; never more than Whisper knows."""
    return min(_FULL_WINDOW, max(2 * duration, duration + 4.0))


_SHORT = _window_seconds(1.0)
