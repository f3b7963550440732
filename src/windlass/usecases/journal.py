"""The journal of a deployment: which step began, which is done, and the events that people see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from windlass.domain.records import StepRecord
from windlass.domain.redact import Redactor
from windlass.ports.outside import Outside


class Journal:
    """Writes steps and events of one deployment; everything passes the redactor first."""

    def __init__(self, outside: Outside, app: str, deployment: str, redactor: Redactor) -> None:
        self.outside = outside
        self.app = app
        self.deployment = deployment
        self.redactor = redactor

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        clean = self.redactor.redact_data(dict(data))
        self.outside.store.events.add(self.outside.clock.now(), self.app, self.deployment, kind, clean)

    def line(self, step: str, text: str) -> None:
        self.note("line", {"step": step, "text": text})

    def step(self, name: str) -> StepRecord | None:
        return self.outside.store.deployments.step(self.deployment, name)

    def begin(self, name: str) -> StepRecord:
        record = StepRecord(name, "running", self.outside.clock.now())
        self._save(record)
        return record

    def end(self, record: StepRecord, status: str) -> StepRecord:
        """A step that had ended before keeps its time: taking it back is not part of it."""
        ended = replace(record, status=status, ended_at=record.ended_at or self.outside.clock.now())
        self._save(ended)
        return ended

    @contextmanager
    def part(self, record: list[StepRecord], name: str) -> Iterator[None]:
        """Time a part of the step; parts of one name add up."""
        began = self.outside.clock.monotonic()
        try:
            yield
        finally:
            seconds = round(self.outside.clock.monotonic() - began, 3)
            record[0] = replace(record[0], parts=_added(record[0].parts, name, seconds))

    def _save(self, record: StepRecord) -> None:
        self.outside.store.deployments.save_step(self.deployment, record)
        data: dict[str, Any] = {"name": record.name, "status": record.status}
        if record.ended_at is not None:
            data["seconds"] = round(record.ended_at - record.started_at, 3)
        self.note("step", data)


def _added(parts: tuple[Mapping[str, Any], ...], name: str, seconds: float) -> tuple[Mapping[str, Any], ...]:
    if any(p["name"] == name for p in parts):
        return tuple({**p, "seconds": round(p["seconds"] + seconds, 3)} if p["name"] == name else p for p in parts)
    return (*parts, {"name": name, "seconds": seconds})
