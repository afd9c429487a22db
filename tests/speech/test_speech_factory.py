"""Which engines the settings name, built in or installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from fakes import FakeRecogniser, FakeSynthesiser
from speech_measure import collect

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.speech import factory


def create_fake_recogniser(settings: Settings) -> FakeRecogniser:
    return FakeRecogniser(settings.recogniser)


def create_fake_synthesiser(settings: Settings) -> FakeSynthesiser:
    return FakeSynthesiser()


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(group: str) -> EntryPoints:
        create = {factory.RECOGNISERS: "create_fake_recogniser", factory.SYNTHESISERS: "create_fake_synthesiser"}
        return EntryPoints([EntryPoint("plugged", f"{__name__}:{create[group]}", group)])

    monkeypatch.setattr(factory, "entry_points", installed)


@pytest.mark.usefixtures("plugins")
async def test_an_installed_engine_is_found_and_its_speech_is_cached(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, recogniser="plugged", synthesiser="plugged")
    assert isinstance(factory.create_recogniser(settings), FakeRecogniser)
    synthesiser = factory.create_synthesiser(settings)
    assert (await collect(synthesiser.say("Hello there", "default", "en"))).seconds > 0.3
    assert len(list((tmp_path / "speech-cache").glob("*.speech"))) == 1


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recogniser": "ears"}, r"no recogniser is called 'ears'; installed are: plugged, whisper"),
        ({"synthesiser": "mouth"}, r"no synthesiser is called 'mouth'; installed are: embedded, plugged"),
    ],
)
def test_an_unknown_engine_is_named_with_what_there_is(settings: dict[str, str], message: str, tmp_path: Path) -> None:
    create = factory.create_recogniser if "recogniser" in settings else factory.create_synthesiser
    with pytest.raises(VisavisError, match=message):
        create(Settings(data=tmp_path, **settings))


@pytest.mark.models
async def test_everything_a_worker_needs_is_loaded_at_once(models_dir: Path, tmp_path: Path) -> None:
    speech = factory.create_speech(Settings(models=models_dir, data=tmp_path))
    assert speech.recogniser.sample_rate == 16000
    assert speech.synthesiser.sample_rate == 24000
    assert "default" in {voice.id for voice in speech.synthesiser.voices()}
    assert speech.activity.activity().frame_samples == 512
    speech.synthesiser.close()
