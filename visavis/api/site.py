"""The page's files: plain modules, served as they lie in ``visavis/web``."""

from __future__ import annotations

import hashlib
import html
from contextlib import suppress
from pathlib import Path

from fastapi import APIRouter, Request, Response

from visavis.contract.errors import ApiError, ErrorCode

WEB = Path(__file__).resolve().parent.parent / "web"

# The page loads nothing from elsewhere, and nobody may frame it.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob: mediastream:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "microphone=(self), camera=(self), autoplay=(self), fullscreen=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    # Asked again every time, answered 304 when nothing changed: a new server never meets an old page.
    "Cache-Control": "no-cache",
}

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wav": "audio/wav",
    ".txt": "text/plain; charset=utf-8",
}


def make_router(root: Path = WEB) -> APIRouter:
    """Routes of ``/`` and ``/web/*``. Only files of known types are served."""
    router = APIRouter()
    base = root.resolve()

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return _serve(request, base, "index.html")

    @router.api_route("/web/{path:path}", methods=["GET", "HEAD"])
    async def file(request: Request, path: str) -> Response:
        return _serve(request, base, path)

    return router


def _serve(request: Request, base: Path, name: str) -> Response:
    if "\0" in name or "\\" in name:
        raise ApiError(ErrorCode.API_NOT_FOUND)
    path = (base / name).resolve()
    media_type = _TYPES.get(path.suffix.lower())
    hidden = any(part.startswith(".") for part in Path(name).parts)
    content = None
    if media_type is not None and not hidden and path.is_relative_to(base):
        with suppress(OSError):  # no such file, a folder, a name too long for the file system
            content = path.read_bytes()
    if content is None:
        raise ApiError(ErrorCode.API_NOT_FOUND, html.escape(name[:100]))
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": etag}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
