"""Structured logs: one JSON object a line on standard error, with request and job ids where there are any."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import structlog
from loguru import logger as _loguru
from pydantic_core import to_json
from structlog.contextvars import get_contextvars


class _StandardError(io.TextIOBase):
    """Whatever ``sys.stderr`` is when a line is written: loggers live longer than a stream that replaces it for a while."""

    def write(self, text: str, /) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_stderr = cast(TextIO, _StandardError())
_lines: structlog.stdlib.BoundLogger = structlog.get_logger("visavis.access")
_direct: list[structlog.types.Processor] = []
"""The processors in use when a request's line needs none of them: JSON is wanted, and lines of its level."""


def configure(level: str = "INFO", fmt: str = "json") -> None:
    """Set up structlog and the standard library's logging (uvicorn, aiortc, pipecat's loguru stays separate)."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(_json) if fmt == "json" else structlog.dev.ConsoleRenderer()
    )
    processors: list[structlog.types.Processor] = [*shared, structlog.processors.format_exc_info, renderer]
    if fmt == "json" and logging.getLevelNamesMapping()[level.upper()] <= logging.INFO:
        _direct[:] = processors
        processors = _direct
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(_stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(_stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Pipecat logs through loguru, at length and with what was said: only its warnings are for the operator.
    _loguru.remove()
    _loguru.add(_from_loguru, level="WARNING", format="{message}")
    # Uvicorn logs the address of each WebSocket with its query, in which a one-time code may stand.
    server = logging.getLogger("uvicorn.error")
    server.setLevel(max(logging.INFO, root.level))
    server.addFilter(_no_address)
    for noisy in ("aioice", "aiortc", "httpx", "httpcore", "sqlalchemy.engine", "jieba", "faster_whisper"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _json(event: Any, **_: Any) -> str:
    """A fifth of what the standard library's takes, and there is a line for every request."""
    try:
        return to_json(event, fallback=repr, inf_nan_mode="constants").decode()
    except ValueError:  # texts that are no Unicode, keys that are no texts
        return json.dumps({str(key): value for key, value in event.items()}, default=repr)


def _no_address(record: logging.LogRecord) -> bool:
    return '"WebSocket %s"' not in str(record.msg)


def _from_loguru(message: str) -> None:
    record = message.record  # type: ignore[attr-defined]
    logging.getLogger(record["name"] or "pipecat").log(record["level"].no, record["message"].split("\n")[0][:500])


def request(fields: dict[str, Any]) -> None:
    """The line of a request that was served: ``_lines.info("request", **fields)`` at half its price.

    There is one for every request, and the way through the processors was an eighth of a small request's time.
    """
    used = structlog.get_config()["processors"]
    if used is not _direct or not isinstance(used[-1], structlog.processors.JSONRenderer):  # or a test listens
        _lines.info("request", **fields)
        return
    now = datetime.now(UTC).isoformat("T", "microseconds")[:26]
    _stderr.write(
        _json({**fields, "event": "request", **get_contextvars(), "level": "info", "timestamp": f"{now}Z"}) + "\n"
    )
    _stderr.flush()


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
