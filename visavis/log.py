"""Structured logs: one JSON object a line on standard error, with request and job ids where there are any."""

from __future__ import annotations

import io
import logging
import sys
from typing import TextIO, cast

import structlog
from loguru import logger as _loguru


class _StandardError(io.TextIOBase):
    """Whatever ``sys.stderr`` is when a line is written: loggers live longer than a stream that replaces it for a while."""

    def write(self, text: str, /) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_stderr = cast(TextIO, _StandardError())


def configure(level: str = "INFO", fmt: str = "json") -> None:
    """Set up structlog and the standard library's logging (uvicorn, aiortc, pipecat's loguru stays separate)."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if fmt == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_stderr),
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
    for noisy in ("aioice", "aiortc", "httpx", "httpcore", "sqlalchemy.engine", "jieba", "faster_whisper"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _from_loguru(message: str) -> None:
    record = message.record  # type: ignore[attr-defined]
    logging.getLogger(record["name"] or "pipecat").log(record["level"].no, record["message"].split("\n")[0][:500])


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
