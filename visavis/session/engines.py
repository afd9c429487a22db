"""What the sessions of a worker are built from: models loaded once, parts made for each."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from visavis.avatar import cache
from visavis.avatar.compositor import open_renderer, prepare
from visavis.avatar.layout import HumanLayer
from visavis.avatar.neural.factory import create_engine, face_square
from visavis.avatar.neural.renderer import NeuralRenderer
from visavis.avatar.neural.types import LipEngine
from visavis.avatar.pack import Pack, find, search_folders
from visavis.avatar.scene import placed
from visavis.avatar.types import Renderer
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.factory import DialogueFactory
from visavis.dialogue.model import Patience
from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.motion.director import Director
from visavis.motion.life import Mode
from visavis.motion.loops import ASLEEP, IDLE, loop
from visavis.rtc.broadcast import Broadcaster
from visavis.rtc.ice import IceServer
from visavis.rtc.ports import IceConfig
from visavis.rtc.room import Room, RoomEvents
from visavis.session.ahead import Ahead
from visavis.session.conversation import Parts
from visavis.session.driven import NoDialogue
from visavis.session.easel import Easel
from visavis.session.picture import layout
from visavis.session.replay import LoopShelf, Repeated, Replay
from visavis.session.services import EmbeddedRecogniser, EmbeddedSynthesiser, STTService, TTSService, load_service
from visavis.session.spec import JobSpec
from visavis.session.stage import REST_STRIDE, Stage, StageListener
from visavis.settings import Settings
from visavis.speech.factory import Speech, create_speech
from visavis.urlpolicy import UrlPolicy

FPS: Final = 25
"""Of every session's picture."""
WARM_SIZES: Final = ((720, 1280),)
"""Pictures prepared before the first job; other sizes cost their first session some tenths of a second."""


@dataclass
class Engines:
    """The shared engines of one worker process."""

    settings: Settings
    speech: Speech
    dialogues: DialogueFactory
    ahead: Ahead
    loops: LoopShelf
    lips: LipEngine | None = None

    @classmethod
    async def load(cls, settings: Settings) -> Engines:
        """Load all models in threads (seconds) and warm what a first job would otherwise wait for."""
        cache.configure(settings.data / "scenes")
        lips = None
        if settings.lip_engine:
            lips = await asyncio.to_thread(create_engine, settings.lip_engine, settings.lip_engine_folder)
        policy = UrlPolicy(settings.url_allow)
        patience = Patience(
            settings.llm_connect_s, settings.llm_first_token_s, settings.llm_next_token_s, settings.llm_retries
        )
        dialogues = DialogueFactory(settings.answer_threshold, settings.clarify_threshold, policy, patience=patience)
        speech, _, _ = await asyncio.gather(
            asyncio.to_thread(create_speech, settings),
            dialogues.warm(),
            asyncio.to_thread(lambda: prepare(find("default", search_folders(settings.data)), WARM_SIZES)),
        )
        return cls(
            settings,
            speech,
            dialogues,
            Ahead(speech.synthesiser, settings.knowledge, enabled=settings.warm_answers),
            LoopShelf(
                settings.data / "loops",
                {
                    IDLE: Repeated(loop(IDLE, FPS), FPS),
                    ASLEEP: Repeated(loop(ASLEEP, FPS), FPS, REST_STRIDE),
                },
            ),
            lips,
        )

    async def close(self) -> None:
        """Free what ``load`` took."""
        await self.ahead.stop()
        self.loops.close()
        self.speech.synthesiser.close()

    # --- parts of one session -------------------------------------------------------------------------------------

    def director(self, spec: JobSpec) -> Director:
        """A director of its own for each job: the same job id moves the same way."""
        seed = int.from_bytes(hashlib.sha256(spec.job_id.encode()).digest()[:8], "big")
        return Director(np.random.default_rng(seed), Mode.IDLE)

    def easel(self, spec: JobSpec, outlet: Broadcaster) -> Easel:
        """What draws and encodes (blocking, up to some tenths of a second). Raises VisavisError: no such avatar, bad picture."""
        video = spec.video
        renderer = self._renderer(spec)
        encoder = H264Encoder(renderer.width, renderer.height, video.fps, video.bitrate_kbps)
        replay = Replay(self.loops, renderer, video.bitrate_kbps, lambda: self._renderer(spec))
        return Easel(renderer, encoder, outlet, video.fps, replay)

    def _renderer(self, spec: JobSpec) -> Renderer:
        uploaded = spec.avatar_file
        pack = Pack.open(Path(uploaded)) if uploaded else find(spec.avatar_id, search_folders(self.settings.data))
        picture = layout(spec)
        renderer = open_renderer(pack, picture)
        if self.lips is None:
            return renderer
        human = next((layer.place for layer in picture.layers if isinstance(layer, HumanLayer)), None)
        placement, _ = placed(pack.manifest.views, picture, astuple(human) if human else None)
        return NeuralRenderer(renderer, self.lips, face_square(pack.manifest, placement), spec.video.fps)

    def room(self, spec: JobSpec, events: RoomEvents) -> Room:
        """The RTC room, empty."""
        servers = tuple(IceServer(server.urls, server.username, server.credential) for server in spec.ice_servers)
        return Room(Broadcaster(), IceConfig.from_settings(self.settings, servers), events)

    def stage(
        self, spec: JobSpec, director: Director, easel: Easel, outlet: Broadcaster, listener: StageListener
    ) -> Stage:
        """The stage of one session."""
        return Stage(
            director=director,
            easel=easel,
            audio=OpusEncoder(),
            outlet=outlet,
            listener=listener,
            fps=spec.video.fps,
        )

    async def parts(self, spec: JobSpec) -> Parts:
        """Recognition, dialogue and synthesis: ours, or Pipecat services that the settings name."""
        settings = self.settings
        recognition: STTService = (
            load_service(settings.stt_service, settings.stt_options, STTService)
            if settings.stt_service
            else EmbeddedRecogniser(self.speech.recogniser, spec.language)
        )
        synthesis: TTSService = (
            load_service(settings.tts_service, settings.tts_options, TTSService)
            if settings.tts_service
            else EmbeddedSynthesiser(self.speech.synthesiser, spec.voices, spec.default_language)
        )
        if spec.robot.driven:
            return Parts(self.speech.activity.activity(), recognition, NoDialogue(), synthesis)
        llm = spec.robot.llm
        endpoint = Endpoint(**llm.model_dump()) if llm else None
        dialogue = await self.dialogues.create(
            endpoint, [*settings.knowledge, *spec.robot.knowledge], settings.dialogue
        )
        return Parts(self.speech.activity.activity(), recognition, dialogue, synthesis)
