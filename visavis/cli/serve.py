"""``visavis serve``: the server process, from settings to a graceful stop."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import secrets
import ssl
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from visavis import log
from visavis.api.app import create_app
from visavis.api.catalogue import AvatarEntry, FixedCatalogue, resolution_of
from visavis.api.owner import any_room, make_room, one_time_link, owner_client
from visavis.avatar.pack import listing, search_folders
from visavis.cli.certificate import self_signed
from visavis.contract.drive import HARD_MAX_FRAME
from visavis.dialogue.local.runner import LocalModel, LocalModelSettings
from visavis.dispatch.factory import create_dispatcher
from visavis.settings import Settings
from visavis.speech.voices import all_voices
from visavis.store.database import Database
from visavis.store.keys import create_key, create_user

PROJECT = "default"
USER = "admin"
GRACE_S = 4
"""Open requests get so long at the end; the workers then get the rest of the ten seconds."""


@dataclass(frozen=True)
class Credentials:
    """What the first start makes and later ones print again (data/credentials.json, readable by its owner only)."""

    project_id: str
    user: str
    password: str
    ak: str
    sk: str


def credentials(settings: Settings) -> Credentials:
    """The operator's credentials of this data folder; made at the first start."""
    path = settings.data / "credentials.json"
    if path.exists():
        return Credentials(**json.loads(path.read_text()))
    password = secrets.token_urlsafe(12)
    create_user(settings, PROJECT, USER, password)
    key = create_key(settings, PROJECT)
    made = Credentials(PROJECT, USER, password, key.ak, key.sk)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(made), file)
    return made


class Server(uvicorn.Server):
    """Uvicorn that says when it listens and when the workers are warm."""

    def __init__(self, config: uvicorn.Config, announcer: _Announcer, model: LocalModel | None = None) -> None:
        """``model``: runs beside it."""
        super().__init__(config)
        self._announcer = announcer
        self._announcing: asyncio.Task[None] | None = None
        self._model = model
        self._thinking: asyncio.Task[None] | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._announcing = asyncio.create_task(self._announcer.run())
            if self._model is not None:
                self._thinking = asyncio.create_task(self._model.run(), name="local-model")

    async def shutdown(self, sockets: Any = None) -> None:
        if self._announcing is not None:
            self._announcing.cancel()
        await super().shutdown(sockets)
        if self._thinking is not None:
            self._thinking.cancel()
            await asyncio.gather(self._thinking, return_exceptions=True)


class _Announcer:
    """Waits for the workers, makes sure that there is a room to talk in, prints where to go."""

    def __init__(
        self, url: str, owner: Credentials, ready: Any, *, demo_room: bool, as_json: bool, ca: Path | None
    ) -> None:
        self._url, self._owner, self._ready = url, owner, ready
        self._demo_room, self._as_json, self._ca = demo_room, as_json, ca

    async def run(self) -> None:
        logger = log.get("serve")
        try:
            await self._ready()
            link = await self._link() if self._demo_room else None
        except (httpx.HTTPError, KeyError) as error:
            logger.error("the demo room could not be made", reason=repr(error))
            link = None
        self._print(link)

    async def _link(self) -> str:
        """A link to the page, with a one-time code behind the #, made through the public interface."""
        owner = self._owner
        verify: Any = ssl.create_default_context(cafile=str(self._ca)) if self._ca else True
        if self._ca:
            verify.check_hostname = False
        async with owner_client(self._url, owner.project_id, owner.user, owner.password, verify=verify) as http:
            room_id = await any_room(http, owner.project_id) or await make_room(http, owner.project_id)
            return await one_time_link(http, owner.project_id, room_id)

    def _print(self, link: str | None) -> None:
        owner = self._owner
        if self._as_json:
            print(json.dumps({"url": self._url, "link": link, **asdict(owner)}), flush=True)
            return
        lines = ["", f"  visavis is ready at {self._url}", ""]
        if link:
            lines += ["  Talk now (the link works once, for five minutes):", f"    {link}", ""]
        lines += [
            "  or sign in on the page, and call the API, with:",
            f"    project {owner.project_id}   user {owner.user}   password {owner.password}",
            f"    AK {owner.ak}   SK {owner.sk}",
            "",
            "  Ctrl+C stops it.",
            "",
        ]
        print("\n".join(lines), flush=True)


def catalogue(settings: Settings) -> FixedCatalogue:
    """The voices and avatar packs of this installation; a pack added later is offered after the next start."""
    packs = listing(search_folders(settings.data))
    avatars = [
        AvatarEntry(pack["id"], pack["name"], pack["licence"], resolution=resolution_of(pack["height"]))
        for pack in packs
    ]
    return FixedCatalogue(all_voices(), avatars)


async def _check_store(settings: Settings) -> None:
    """Open the database and its keys once, so that what is wrong with them is one clear line instead of a failed start."""
    await (await Database.open(settings)).close()


def _local_model(settings: Settings) -> LocalModel | None:
    """The model that the settings name. Raises LocalModelError: it cannot run here."""
    if settings.local_model is None:
        return None
    return LocalModel(
        LocalModelSettings(settings.local_model, settings.local_model_threads, settings.local_model_context)
    )


def run(settings: Settings, *, demo_room: bool, as_json: bool) -> int:
    """Run the server until a signal; exit status."""
    log.configure(settings.log_level, settings.log_format)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    model = _local_model(settings)
    if model is not None:
        settings = settings.model_copy(update={"local_model_url": model.url, "local_model_key": model.key})
    asyncio.run(_check_store(settings))
    owner = credentials(settings)
    certificate, key = settings.tls_cert, settings.tls_key
    if settings.tls == "self" and not certificate:
        certificate, key = self_signed(
            settings.data / "tls", [settings.host, settings.public_ip, settings.public_address]
        )
    dispatcher = create_dispatcher(settings, settings.dispatcher)
    config = uvicorn.Config(
        create_app(settings, dispatcher, catalogue(settings)),
        host=settings.host,
        port=settings.port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=HARD_MAX_FRAME,
        ws_per_message_deflate=False,  # base64 of sound hardly shrinks
    )
    try:
        listener = config.bind_socket()
    except SystemExit:
        print(f"visavis: cannot listen on {settings.host}:{settings.port}: in use or not allowed", file=sys.stderr)
        return 1
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if ipaddress.ip_address(host).is_unspecified else host
    url = f"{'https' if certificate else 'http'}://{f'[{shown}]' if ':' in shown else shown}:{port}"
    announcer = _Announcer(url, owner, dispatcher.ready, demo_room=demo_room, as_json=as_json, ca=certificate)
    Server(config, announcer, model).run(sockets=[listener])
    return 0
