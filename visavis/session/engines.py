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
from visavis.dialogue.assistant.tools import ToolLimits
from visavis.dialogue.audit.audited import Audited
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.factory import DialogueFactory, ToolSettings
from visavis.dialogue.model import Patience
from visavis.dialogue.types import Dialogue
from visavis.dialogue.vendors.types import Account
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
from visavis.session.bounds import BoundedRecognition, BoundedSynthesis
from visavis.session.conversation import Parts
from visavis.session.driven import NoDialogue
from visavis.session.easel import Easel
from visavis.session.hearing import EmbeddedRecogniser
from visavis.session.knowing import create_auditor, plugin_services
from visavis.session.picture import layout
from visavis.session.replay import LoopShelf, Repeated, Replay
from visavis.session.roles import role_of
from visavis.session.services import EmbeddedSynthesiser, STTService, TTSService, load_service, ready_made
from visavis.session.soothing import Soothing
from visavis.session.spec import JobSpec
from visavis.session.stage import REST_STRIDE, Stage, StageListener
from visavis.session.turns.melody import SmartTurn
from visavis.settings import Settings
from visavis.speech.factory import Speech, create_speech
from visavis.speech.normalise import has_han
from visavis.speech.types import Language
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
    melody: SmartTurn | None = None

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
        tools = ToolSettings(settings.mcp_stdio, ToolLimits(call_s=settings.tool_s), plugin_services(settings))
        auditor = await asyncio.to_thread(create_auditor, settings)
        dialogues = DialogueFactory(
            settings.answer_threshold,
            settings.clarify_threshold,
            policy,
            patience=patience,
            tools=tools,
            auditor=auditor,
        )
        speech, melody, _, _ = await asyncio.gather(
            asyncio.to_thread(create_speech, settings),
            asyncio.to_thread(SmartTurn),
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
            melody,
        )

    async def close(self) -> None:
        """Free what ``load`` took."""
        await self.ahead.stop()
        self.loops.close()
        self.speech.synthesiser.close()
        if self.melody is not None:
            self.melody.close()

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
            load_service(settings.stt_service, settings.stt_options, STTService, BoundedRecognition)
            if settings.stt_service
            else EmbeddedRecogniser(self.speech.recogniser, spec.language, await self._hot_words(spec), self.melody)
        )
        synthesis: TTSService = (
            load_service(settings.tts_service, settings.tts_options, TTSService, BoundedSynthesis)
            if settings.tts_service
            else EmbeddedSynthesiser(self.speech.synthesiser, spec.voices, spec.default_language)
        )
        ready = ready_made(self.speech.synthesiser, spec.voices, spec.default_language)
        if spec.robot.driven:
            return Parts(self.speech.activity.activity(), recognition, NoDialogue(), synthesis, ready)
        llm = spec.robot.llm
        endpoint = Endpoint(**llm.model_dump()) if llm else None
        role = role_of(spec.robot.role) if spec.robot.role else None
        dialogue = await self.dialogues.create(
            endpoint,
            [*settings.knowledge, *spec.robot.knowledge],
            settings.dialogue,
            role,
            Account(**spec.robot.vendor.model_dump()) if spec.robot.vendor else None,
            audited=spec.robot.audited,
        )
        admits = dialogue.admits if isinstance(dialogue, Audited) else None
        return Parts(
            self.speech.activity.activity(), recognition, self._soothing(spec, dialogue), synthesis, ready, admits
        )

    async def _hot_words(self, spec: JobSpec) -> dict[Language, list[str]]:
        """By language: the robot's, and the names in what is answered from."""
        robot = spec.robot
        words: dict[Language, list[str]] = {
            language: list(robot.hot_words.get(language, [])) for language in ("en", "zh")
        }
        for phrase in spec.turn_taking.wake_words:
            words["zh" if has_han(phrase) else "en"].append(phrase)
        if robot.llm is None and robot.role is None and not robot.driven and not self.settings.dialogue:
            names = (await self.dialogues.index([*self.settings.knowledge, *robot.knowledge])).names
            return {language: [*own, *names] for language, own in words.items()}
        return words

    def _soothing(self, spec: JobSpec, dialogue: Dialogue) -> Dialogue:
        """The dialogue with the robot's pacify words, if it has any."""
        if not spec.robot.pacify:
            return dialogue

        async def intent_of(text: str) -> str:
            hits = await (await self.dialogues.index(spec.robot.knowledge)).search(text)
            return hits[0].entry.id if hits and hits[0].score >= self.settings.clarify_threshold else ""

        return Soothing(dialogue, spec.robot.pacify, intent_of if spec.robot.knowledge else None)
