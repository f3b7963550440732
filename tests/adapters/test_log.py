"""The log is JSON lines without secrets, its own owner's, and of a bounded size."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Callable, Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pytest
import structlog

from windlass.adapters.log import KEPT_FILES, open_log
from windlass.domain.redact import Redactor

SECRET = "hunter2-and-more"


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    file = tmp_path / "windlass.log"
    close = open_log(file, Redactor([SECRET]).redact_data)
    yield lambda: [json.loads(line) for line in file.read_text().splitlines()]
    close()


def test_records_are_json_with_time_level_and_values(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("windlass.worker").info("job started", job="j1", attempt=0, parts=("a", Path("/b")))
    (record,) = lines()
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "job started",
        "level": "info",
        "logger": "windlass.worker",
        "job": "j1",
        "attempt": 0,
        "parts": ["a", "/b"],
    }


def test_what_libraries_say_is_there_from_warnings_on(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logging.getLogger("some.library").info("not this")
    logging.getLogger("some.library").warning("number %d", 7)
    assert [record["event"] for record in lines()] == ["number 7"]


def test_secrets_are_nowhere(lines: Callable[[], list[dict[str, Any]]], tmp_path: Path) -> None:
    log = structlog.get_logger("windlass.x")
    log.info(f"it is {SECRET}", value=SECRET, nested={"a": [SECRET, {"b": SECRET}]}, other=ValueError(SECRET))
    logging.getLogger("some.library").error("it is %s", SECRET)
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        log.exception("failed")
    assert SECRET not in (tmp_path / "windlass.log").read_text()
    assert "RuntimeError: ***" in lines()[-1]["exception"]


def test_files_are_rotated_and_private(
    lines: Callable[[], list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (handler,) = (h for h in logging.getLogger().handlers if isinstance(h, RotatingFileHandler))
    monkeypatch.setattr(handler, "maxBytes", 2000)
    for n in range(200):
        structlog.get_logger("windlass.x").info("a line", n=n)
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["windlass.log", *(f"windlass.log.{n}" for n in range(1, KEPT_FILES))]
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    assert lines()[-1]["n"] == 199
