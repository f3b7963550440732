"""Which service a failing build belongs to, told from what BuildKit prints."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

_VERTEX = re.compile(r"^#(\d+) \[(\S+?)[ \]]")
_VERTEX_ERROR = re.compile(r"^#(\d+) ERROR\b")
_FAILED_STEP = re.compile(r"^ ?> \[(\S+?)[ \]]")
_NOISE = re.compile(r'time="[^"]*" level=warning msg=".*\bbake\b', re.IGNORECASE)  # which builder Compose prefers
_KEPT = 50


class BuildLog:
    """Follows the lines of a build of these services; `service` is the failing one, "" while unknown."""

    def __init__(self, services: Mapping[str, Any]) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self._services = services
        self._of_vertex: dict[str, str] = {}
        self._failed = next(iter(services)) if len(services) == 1 else ""

    @property
    def service(self) -> str:
        return self._failed

    def watching(self, on_line: Callable[[str], None]) -> Callable[[str], None]:
        def watch(line: str) -> None:
            if not _NOISE.match(line):
                self.read(line)
                on_line(line)

        return watch

    def read(self, line: str) -> None:
        if line:
            self.lines.append(line)
        if vertex := _VERTEX.match(line):
            self._of_vertex[vertex[1]] = vertex[2]
        if error := _VERTEX_ERROR.match(line):
            self._blame(self._of_vertex.get(error[1], ""))
        elif step := _FAILED_STEP.match(line):
            self._blame(step[1])
        elif line.startswith("unable to prepare context") or "failed to read dockerfile" in line:
            self._blame(self._by_context(line))

    def _blame(self, name: str) -> None:
        if not self._failed and name in self._services:
            self._failed = name

    def _by_context(self, line: str) -> str:
        for name, service in self._services.items():
            build = service.get("build") or {}
            context = build if isinstance(build, str) else str(build.get("context", ""))
            if context and f'"{context}"' in line:
                return name
        return ""
