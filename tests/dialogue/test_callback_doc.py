"""docs/callback.md: its server answers the real client, its samples check the published signature."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_server import KEY, failing, say

from visavis.dialogue import phrases
from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.types import Turn
from visavis.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "callback.md").read_text()


def sample(language: str) -> str:
    """The document's one piece of code in that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def url(tmp_path: Path, unused_tcp_port_factory: Callable[[], int]) -> Iterator[str]:
    """The address of the sample server, which runs as it stands in the document."""
    address = f"http://127.0.0.1:{unused_tcp_port_factory()}/chat"
    (tmp_path / "sample.py").write_text(sample("python"))
    command = [sys.executable, str(tmp_path / "sample.py")]
    environment = {**os.environ, "APP_KEY": KEY, "LLM_URL": address}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"listening at {address}\n"
            yield address
        finally:
            process.kill()


async def test_the_sample_server_answers_in_both_forms_and_refuses_a_wrong_signature(url: str) -> None:
    turn = Turn("Where is the exit?", "en", session_id="j")
    for streamed in (True, False):
        endpoint = Endpoint(url, "metastudio", api_key=KEY, stream=streamed, extend_param='{"city": "Jena"}')
        said = await say(endpoint, turn)
        assert [s.text for s in said] == ["You asked: Where is the exit?", "I am glad to help you in Jena."]
    for wrong in (Endpoint(f"{url}/", "metastudio", api_key=KEY), Endpoint(url, "metastudio", api_key=f"{KEY}?")):
        said, told = await failing(wrong)
        assert [s.text for s in said] == [phrases.FAILED["en"]]
        assert (told["status"], told["error_code"]) == (400, "SAMPLE.0001")
    with pytest.raises(AssertionError):  # no error was logged: it is not too old
        await failing(Endpoint(url, "metastudio", api_key=KEY))


async def test_the_sample_server_refuses_what_was_signed_long_ago(url: str) -> None:
    _, told = await failing(Endpoint(url, "metastudio", api_key=KEY), clock=lambda: 1744612873.350)
    assert told["error_code"] == "SAMPLE.0001"


@pytest.mark.parametrize(
    ("program", "language", "name", "arguments"),
    [
        ("node", "javascript", "check.js", []),
        ("java", "java", "Check.java", []),
        ("go", "go", "check.go", ["run"]),
    ],
)
def test_the_samples_check_the_published_signature(
    tmp_path: Path, program: str, language: str, name: str, arguments: list[str]
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (tmp_path / name).write_text(sample(language))
    done = subprocess.run(
        [program, *arguments, str(tmp_path / name)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["true", "false"]


def test_the_document_tells_the_settings_that_there_are() -> None:
    fields = Settings.model_fields
    named = re.findall(r"`VISAVIS_(LLM_\w+)`", TEXT)
    assert set(named) == {name.upper() for name in fields if name.startswith("llm_")}
    for name, told in re.findall(r"`VISAVIS_(LLM_\w+_S)` \| ([\d.]+) s", TEXT):
        assert fields[name.lower()].default == float(told)
