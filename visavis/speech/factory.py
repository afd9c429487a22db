"""The recogniser and the synthesiser that the settings name.

``embedded`` and ``whisper`` are built in. Other engines are plug-ins: an installed package declares an entry point
in the group ``visavis.recognisers`` or ``visavis.synthesisers``, a callable ``create(settings) -> Recogniser |
Synthesiser`` that loads everything before it returns.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.speech import models
from visavis.speech.cache import CachedSynthesiser
from visavis.speech.types import Recogniser, Synthesiser

if TYPE_CHECKING:
    from visavis.speech.silero import SileroModel

RECOGNISERS = "visavis.recognisers"
SYNTHESISERS = "visavis.synthesisers"


@dataclass(frozen=True, slots=True)
class Speech:
    """Everything a worker needs to hear and to speak, loaded and warmed up; shared by its sessions."""

    recogniser: Recogniser
    synthesiser: CachedSynthesiser
    activity: SileroModel


def create_speech(settings: Settings) -> Speech:
    """Load all three side by side (blocking: call it in a thread)."""
    from visavis.speech.silero import SileroModel

    models.assemble(settings.models_dir)
    with ThreadPoolExecutor(2, "load-speech") as pool:
        recogniser = pool.submit(create_recogniser, settings)
        synthesiser = pool.submit(create_synthesiser, settings)
        activity = SileroModel(settings.models_dir)
        return Speech(recogniser.result(), synthesiser.result(), activity)


def create_recogniser(settings: Settings) -> Recogniser:
    """The recogniser of ``settings.recogniser``, loaded (blocking). Raises VisavisError for an unknown name."""
    recogniser: Recogniser = _creator(RECOGNISERS, settings.recogniser, {"whisper": whisper})(settings)
    return recogniser


def create_synthesiser(settings: Settings) -> CachedSynthesiser:
    """The synthesiser of ``settings.synthesiser``, loaded (blocking), behind the disk cache in the data folder.

    An engine may have a property ``version``; a change of it makes the cache forget. Raises VisavisError for an
    unknown name.
    """
    inner: Synthesiser = _creator(SYNTHESISERS, settings.synthesiser, {"embedded": embedded})(settings)
    version = f"{settings.synthesiser}:{getattr(inner, 'version', '')}"
    return CachedSynthesiser(inner, settings.data / "speech-cache", version=version)


def whisper(settings: Settings) -> Recogniser:
    """Entry point ``whisper``."""
    from visavis.speech.whisper import WhisperRecogniser

    concurrency = max(1, (os.cpu_count() or 1) // settings.whisper_threads)
    return WhisperRecogniser(settings.models_dir, settings.whisper_threads, min(4, concurrency))


def embedded(settings: Settings) -> Synthesiser:
    """Entry point ``embedded``."""
    from visavis.speech.embedded import EmbeddedSynthesiser

    return EmbeddedSynthesiser(settings.models_dir, settings.kokoro_threads)


def _creator(group: str, name: str, built_in: dict[str, Callable[[Settings], Any]]) -> Callable[[Settings], Any]:
    if name in built_in:
        return built_in[name]
    found = entry_points(group=group)
    if name not in found.names:
        known = ", ".join(sorted({*built_in, *found.names}))
        raise VisavisError(f"no {group.removeprefix('visavis.')[:-1]} is called {name!r}; installed are: {known}")
    creator: Callable[[Settings], Any] = found[name].load()
    return creator
