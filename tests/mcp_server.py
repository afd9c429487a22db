"""A real MCP server for tests, in a process of its own: ``python mcp_server.py`` speaks stdio, with a port streamable HTTP.

With HTTP it wants the header ``X-Tool-Key: letmein``. Its tools answer, are slow, fail, hang, or say far too much.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY = "letmein"


@contextmanager
def mcp_http(port: int = 0) -> Iterator[str]:
    """The address of such a server."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def command() -> list[str]:
    """How it is started to speak stdio."""
    return [sys.executable, str(Path(__file__).resolve())]


def main() -> None:
    import mcp_types
    from mcp.server import MCPServer

    server = MCPServer("Tests")
    reads = mcp_types.ToolAnnotations(readOnlyHint=True)

    @server.tool(name="opening.hours", description="When the shop is open on a day.", annotations=reads)
    def hours(day: str) -> str:
        return f"On {day} from 9 to 17."

    @server.tool(description="Slow, but it answers.", annotations=reads)
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "It took a while."

    @server.tool(description="Never answers.", annotations=reads)
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    @server.tool(description="Blocks its whole server.", annotations=reads)
    def block() -> str:
        time.sleep(20)
        return ""

    @server.tool(description="Fails.", annotations=reads)
    def fail() -> str:
        raise ValueError("the shelf is empty")

    @server.tool(description="Says 10 MB.", annotations=reads)
    def huge() -> str:
        return "x" * 10_000_000

    @server.tool(description="Ends its server.", annotations=reads)
    def die() -> str:
        import os

        os._exit(1)

    done: list[str] = []

    @server.tool(description="Rings a bell: acts.")
    def ring(times: int = 1) -> str:
        done.append("ring" * times)
        return f"It rang {len(done)} times."

    if len(sys.argv) < 2:
        server.run()
        return

    import uvicorn
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response

    app = server.streamable_http_app()

    class Guard(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next) -> Response:  # type: ignore[no-untyped-def]
            if request.headers.get("x-tool-key") != KEY:
                return PlainTextResponse("no", status_code=401)
            answer: Response = await call_next(request)
            return answer

    app.add_middleware(Guard)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print("ready", flush=True)

    Server(uvicorn.Config(app, port=int(sys.argv[1]), log_level="critical")).run()


if __name__ == "__main__":
    main()
