"""The log of windlass itself: JSON lines in a file that is rotated, without secrets."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

ROTATE_BYTES = 10_000_000
KEPT_FILES = 3

Redact = Callable[[Any], Any]


def open_log(file: Path, redact: Redact, level: str = "INFO") -> Callable[[], None]:
    """Send everything that windlass and its libraries log to `file`; gives the function that closes it.

    `redact` gets each record as a dict before it is written, tracebacks included. It is called for every record, so
    that it may know secrets that were set since.
    """
    shared: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    handler = _PrivateFile(file, maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES - 1, encoding="utf-8", errors="replace")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redaction(redact),
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return _install(handler, level)


def _install(handler: logging.Handler, level: str) -> Callable[[], None]:
    """Libraries speak from WARNING on, windlass from `level` on."""
    root, own = logging.getLogger(), logging.getLogger("windlass")
    root.addHandler(handler)
    own.setLevel(level)

    def close() -> None:
        root.removeHandler(handler)
        own.setLevel(logging.NOTSET)
        handler.close()
        structlog.reset_defaults()

    return close


def _redaction(redact: Redact) -> Processor:
    def process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: redact(_plain(value)) for key, value in event.items()}

    return process


def _plain(value: Any) -> Any:
    """What JSON does not know as the text that would be written, so that this text is redacted too."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return str(value)


class _PrivateFile(RotatingFileHandler):
    """Only its owner may read it."""

    def _open(self) -> io.TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=opener)
