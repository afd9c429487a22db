"""A worker's host without models: the real work ahead and the real cache around a voice that tells what it says."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import numpy as np
from engine_fakes import FakeEngines

from visavis.session.ahead import Ahead
from visavis.session.host import Host
from visavis.session.types import Emit
from visavis.settings import Settings
from visavis.speech.cache import CachedSynthesiser
from visavis.speech.types import NORMAL, Language, SpeechChunk, VoiceSettings


class TellingVoice:
    """Each sentence, with its voice, is a datagram to the address that the test listens on."""

    sample_rate = 24_000

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def voices(self) -> list[object]:
        return []

    async def say(
        self, text: str, voice: str, language: Language, settings: VoiceSettings = NORMAL
    ) -> AsyncIterator[SpeechChunk]:
        yield SpeechChunk(np.zeros(240, np.int16), 0.0, ())
        self._socket.sendto(f"{voice}: {text}".encode(), self._address)


class ImportHost(Host):
    async def load(self) -> None:
        settings = self._settings
        cached = CachedSynthesiser(TellingVoice(settings.stt_options["told"]), settings.data / "speech-cache")
        ahead = Ahead(cached, settings.knowledge, enabled=settings.warm_answers)
        self._engines = FakeEngines(settings=settings, ahead=ahead)  # type: ignore[arg-type, assignment]
        ahead.go_on()


def create_host(settings: Settings, emit: Emit) -> ImportHost:
    return ImportHost(settings, emit)
