from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.local.runner import LocalModel, LocalModelError, LocalModelSettings

pytest.importorskip("xllamacpp")
from tiny_gguf import make


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
async def model(gguf: Path) -> AsyncIterator[LocalModel]:
    made = LocalModel(LocalModelSettings(gguf, context=512), look_s=0.2)
    task = asyncio.create_task(made.run())
    await asyncio.wait_for(made.ready.wait(), 30)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_it_streams_to_who_has_the_key_and_only_here(model: LocalModel) -> None:
    asked = {"messages": [{"role": "user", "content": "hello"}], "stream": True, "max_tokens": 6}
    async with httpx.AsyncClient(base_url=model.url, trust_env=False) as client:
        refused = await client.post("/chat/completions", json=asked)
        assert refused.status_code == 401
        headers = {"Authorization": f"Bearer {model.key}"}
        async with client.stream("POST", "/chat/completions", json=asked, headers=headers) as response:
            lines = [line async for line in response.aiter_lines() if line]
    assert response.status_code == 200
    assert len(lines) > 4
    assert lines[-1] == "data: [DONE]"
    assert httpx.URL(model.url).host == "127.0.0.1"


async def test_a_robot_reaches_it_although_it_is_internal(model: LocalModel) -> None:
    """The wire of a conversation: asked as trusted it is reached; as any user's address it is refused."""
    from model_server import ASKED

    from visavis.dialogue.factory import DialogueFactory
    from visavis.urlpolicy import UrlPolicy

    factory = DialogueFactory(0.5, 0.4, UrlPolicy())
    reached, logs = [], []
    import structlog

    for trusted in (True, False):
        dialogue = await factory.create(Endpoint(model.url, api_key=model.key, trusted=trusted))
        with structlog.testing.capture_logs() as captured:
            answer = dialogue.answer(ASKED)
            with suppress(StopAsyncIteration, TimeoutError):
                reached.append(await asyncio.wait_for(anext(answer), 10))
            await answer.aclose()  # type: ignore[attr-defined]
        logs.append([str(one.get("reason", "")) for one in captured])
        await dialogue.aclose()
    assert not any("internal address" in reason for reason in logs[0])
    assert any("internal address" in reason for reason in logs[1])


async def test_it_is_started_again_at_the_same_address(model: LocalModel) -> None:
    address, first = model.url, model.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await asyncio.wait_for(model.lost.wait(), 20)
    await asyncio.wait_for(model.ready.wait(), 40)
    assert (model.url, model.starts) == (address, 2)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(address.removesuffix("/v1") + "/health")).status_code == 200


async def test_it_ends_with_the_server(gguf: Path) -> None:
    made = LocalModel(LocalModelSettings(gguf, context=512))
    task = asyncio.create_task(made.run())
    await asyncio.wait_for(made.ready.wait(), 30)
    pid = made.pid
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 10, "frames come first"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not alive(pid)


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), (b"PK\x03\x04", "no GGUF")])
async def test_what_is_no_model_is_told_at_once(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LocalModelError, match=told):
        LocalModel(LocalModelSettings(path))


async def test_without_the_package_it_says_what_to_install(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalModelError, match="pip install xllamacpp"):
        LocalModel(LocalModelSettings(gguf))
