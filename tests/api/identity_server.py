"""A real HTTP server in a thread of its own, as the official SDKs see it, for the tests of identities."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from control_fakes import FakeDispatcher
from control_server import CATALOGUE
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkiam.v3 import IamClient
from huaweicloudsdkmetastudio import v1 as ms

from visavis.api.app import create_app
from visavis.settings import Settings


class Served:
    """What a test holds of it."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.settings = settings
        self.endpoint = f"http://127.0.0.1:{port}"

    def client(self, ak: str, sk: str, security_token: str | None = None, project: str = "p1") -> Any:
        """The MetaStudio SDK."""
        credentials = BasicCredentials(ak, sk, project)
        if security_token is not None:
            credentials = credentials.with_security_token(security_token)
        return ms.MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(self.endpoint).build()

    def iam(self, ak: str, sk: str, security_token: str | None = None) -> Any:
        """The IAM SDK."""
        credentials = GlobalCredentials(ak, sk, "default")
        if security_token is not None:
            credentials = credentials.with_security_token(security_token)
        return IamClient.new_builder().with_credentials(credentials).with_endpoint(self.endpoint).build()


@contextmanager
def served(settings: Settings) -> Iterator[Served]:
    """From the moment it answers until it has stopped."""
    app = create_app(settings, FakeDispatcher(), CATALOGUE)
    listener = socket.create_server(("127.0.0.1", 0))  # clients may connect from here on, and wait
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(settings, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
