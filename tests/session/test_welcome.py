"""What a session says first, and what it answers from, as its job's robot was told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio
from engine_fakes import Events, FakeActivity, FakeEngines, job
from session_fakes import FakeRecogniser, FakeSynthesiser

from visavis.dialogue.factory import DialogueFactory
from visavis.dialogue.knowledge import KnowledgeError
from visavis.dialogue.types import Turn
from visavis.session import host as host_module
from visavis.session.engines import Engines
from visavis.session.host import Host, create_host
from visavis.session.spec import RobotSpec
from visavis.settings import Settings
from visavis.urlpolicy import UrlPolicy

WELCOME = "Welcome to the museum."


@pytest_asyncio.fixture
async def host(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    engines = FakeEngines()

    async def load(settings: Settings) -> FakeEngines:
        return engines

    monkeypatch.setattr(host_module.Engines, "load", load)
    events = Events()
    opened = create_host(engines.settings, events)
    assert isinstance(opened, Host)
    await opened.load()
    yield opened, engines, events
    await opened.close()


async def test_the_first_who_comes_is_welcomed_once(host) -> None:  # type: ignore[no-untyped-def]
    opened, engines, events = host
    await opened.start(job(robot=RobotSpec(welcome=WELCOME)))
    room = engines.rooms[-1]
    assert engines.synthesiser.said == []  # nobody is there yet
    room.events.media()
    await room.told.wait("bot-stopped-speaking")
    assert [said[0] for said in engines.synthesiser.said] == [WELCOME]
    room.events.left()
    room.events.media()
    room.say("send-text", content="How are you?")
    await room.told.wait("bot-stopped-speaking", count=2)
    assert [said[0] for said in engines.synthesiser.said] == [WELCOME, "I am fine."]
    await opened.stop("j1", "NORMAL")
    await events.journal.wait("finished")


async def test_a_robot_answers_from_its_own_knowledge(tmp_path: Path) -> None:
    entry = {"id": "e1", "questions": {"en": ["Where are the lifts?"]}, "answers": {"en": "On the left."}}
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"format": "visavis-knowledge", "version": 1, "entries": [entry]}))
    speech = SimpleNamespace(
        activity=SimpleNamespace(activity=FakeActivity), recogniser=FakeRecogniser(), synthesiser=FakeSynthesiser()
    )
    dialogues = DialogueFactory(0.55, 0.48, UrlPolicy([]))
    engines = Engines(Settings(_env_file=None), speech, dialogues, None, None)  # type: ignore[arg-type]
    parts = await engines.parts(job(robot=RobotSpec(knowledge=[str(file)])))
    said = [sentence.text async for sentence in parts.dialogue.answer(Turn("where is the lift", "en"))]
    assert said == ["On the left."]


async def test_knowledge_that_was_cut_off_is_told_apart_from_none(tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    file.write_text('{"format": "visavis-knowledge",\n "entries": [')
    with pytest.raises(KnowledgeError, match=r"cut\.json line 2: not JSON"):
        await DialogueFactory(0.55, 0.48, UrlPolicy([])).create(None, [file])
