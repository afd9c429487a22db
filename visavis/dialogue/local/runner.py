"""Keeps a local model's process running: starts it, looks whether it answers, and starts it again."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import secrets
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from visavis import log
from visavis.errors import VisavisError

_LOG = log.get(__name__)

_MAGIC: Final = b"GGUF"
_LOADED_S: Final = 300.0
_LOOK_S: Final = 5.0
_ANSWER_S: Final = 3.0
_SILENT: Final = 3
"""Looks without an answer after which it counts as stuck."""
_PAUSES_S: Final = (0.5, 2.0, 8.0, 30.0)
_END_S: Final = 3.0


class LocalModelError(VisavisError):
    """The model cannot be run here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LocalModelSettings:
    """``model``: a GGUF file. ``threads`` it thinks with; ``context``: tokens it can have in mind."""

    model: Path
    threads: int = 1
    context: int = 4096


class LocalModel:
    """One model of one server. Its address and key stay the same for as long as the server runs."""

    def __init__(self, settings: LocalModelSettings, look_s: float = _LOOK_S) -> None:
        """``look_s``: between two looks whether it answers.

        Raises:
            LocalModelError: the file is no GGUF model, or the package that runs it is not installed.
        """
        _check(settings.model)
        self._settings = settings
        self._look_s = look_s
        self._port = _free_port()
        self.key = secrets.token_urlsafe(24)
        self.ready = asyncio.Event()
        """It answers."""
        self.lost = asyncio.Event()
        """It answered, and does not any more."""
        self.starts = 0
        """How often its process was started."""
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The base URL of its OpenAI-compatible interface."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Keep it running until cancelled; then its process is ended."""
        failed = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._once()
            except (OSError, TimeoutError, LocalModelError) as error:
                _LOG.error("the local model stopped", reason=str(error) or type(error).__name__)
            finally:
                if self.ready.is_set():
                    self.ready.clear()
                    self.lost.set()
                await self._end()
            failed = 0 if asyncio.get_running_loop().time() - began > _PAUSES_S[-1] else failed + 1
            await asyncio.sleep(_PAUSES_S[min(max(failed - 1, 0), len(_PAUSES_S) - 1)])

    async def _once(self) -> None:
        """Start the process and watch it. Raises LocalModelError, OSError, TimeoutError: it does not serve (any more)."""
        settings = self._settings
        self.starts += 1
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "visavis.dialogue.local.child"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # Ctrl+C is for the server, which ends it in order
        )
        assert process.stdin is not None
        assert process.stdout is not None
        told = {
            "model": str(settings.model.resolve()),
            "port": self._port,
            "key": self.key,
            "threads": settings.threads,
            "context": settings.context,
        }
        process.stdin.write(json.dumps(told).encode() + b"\n")
        await process.stdin.drain()
        async with asyncio.timeout(_LOADED_S):
            while line := await process.stdout.readline():
                if line.strip() == b"ready":
                    break
            else:
                raise LocalModelError(f"its process ended with status {await process.wait()}")
        self.lost.clear()
        self.ready.set()
        _LOG.info("the local model is ready", file=settings.model.name, threads=settings.threads)
        ended = asyncio.create_task(process.wait())
        try:
            await self._watch(ended)
        finally:
            ended.cancel()

    async def _watch(self, ended: asyncio.Task[int]) -> None:
        silent = 0
        async with httpx.AsyncClient(trust_env=False, timeout=_ANSWER_S) as client:
            while silent < _SILENT:
                done, _ = await asyncio.wait([ended], timeout=self._look_s)
                if done:
                    raise LocalModelError(f"its process ended with status {ended.result()}")
                try:
                    answer = await client.get(f"http://127.0.0.1:{self._port}/health")
                    silent = 0 if answer.is_success else silent + 1
                except httpx.HTTPError:
                    silent += 1
        raise LocalModelError("it does not answer")

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _check(model: Path) -> None:
    try:
        with model.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise LocalModelError(f"local_model: {model} cannot be read: {error.strerror}") from error
    if magic != _MAGIC:
        raise LocalModelError(f"local_model: {model} is no GGUF file")
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelError("local_model needs the package xllamacpp, which is not installed: pip install xllamacpp")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
