"""A scripted language model behind an OpenAI-compatible endpoint: its first word after a set time, then words at a steady pace."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiohttp import web

from visavis.bench.response.judging import letters

TOKENS_S: Final = 40.0
"""Words a second after the first: what a small model gives on a good card."""
ALIKE: Final = 0.4
UNKNOWN: Final = "I do not know that."


@contextlib.asynccontextmanager
async def scripted(answers: Mapping[str, str], delay_s: float) -> AsyncIterator[str]:
    """Serve it on this machine; yields its URL.

    Args:
        answers: what it says to each question; the question that is most like what was asked counts.
        delay_s: seconds from the request to the first word.
    """
    known = {letters(question): answer for question, answer in answers.items()}

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = letters(str(body["messages"][-1]["content"]))
        likeness = {each: difflib.SequenceMatcher(None, asked, each).ratio() for each in known}
        best = max(likeness, key=likeness.__getitem__, default="")
        text = known[best] if best and likeness[best] >= ALIKE else UNKNOWN
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await asyncio.sleep(delay_s)
        for piece in _pieces(text):
            chunk = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await answer.write(f"data: {json.dumps(chunk)}\n\n".encode())
            await asyncio.sleep(1 / TOKENS_S)
        await answer.write(b"data: [DONE]\n\n")
        return answer

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/chat/completions"
    finally:
        await runner.cleanup()


def _pieces(text: str) -> list[str]:
    """Words with the space before them; Chinese by two characters."""
    if " " in text:
        first, *rest = text.split(" ")
        return [first, *(f" {word}" for word in rest)]
    return [text[at : at + 2] for at in range(0, len(text), 2)]
