"""Answers that cost time, kept in memory for some minutes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar, cast

KEPT_S = 300.0
_ROOM = 1000

_Answer = TypeVar("_Answer")


class Recent:
    """By what was asked. Only answers that were good are kept: who has mended something is not told the old one."""

    def __init__(self, kept_s: float = KEPT_S, room: int = _ROOM) -> None:
        """`room`: answers that are kept at most."""
        self._kept_s = kept_s
        self._room = room
        self._answers: dict[Hashable, tuple[float, object]] = {}
        self._lock = Lock()

    def find(self, question: Hashable, now: float) -> object | None:
        """`now`: seconds of a clock that only goes forward."""
        with self._lock:
            found = self._answers.get(question)
        return found[1] if found is not None and now - found[0] < self._kept_s else None

    def keep(self, question: Hashable, answer: object, now: float) -> None:
        with self._lock:
            if len(self._answers) >= self._room:
                self._answers = {q: a for q, a in self._answers.items() if now - a[0] < self._kept_s}
            if len(self._answers) >= self._room:
                self._answers.clear()
            self._answers[question] = (now, answer)

    def ask(
        self, question: Hashable, now: float, ask: Callable[[], _Answer], is_good: Callable[[_Answer], bool]
    ) -> _Answer:
        """The kept answer, or the one that `ask` gives, which is kept when it is good. `question` tells its type."""
        known = self.find(question, now)
        if known is not None:
            return cast(_Answer, known)
        answer = ask()
        if is_good(answer):
            self.keep(question, answer, now)
        return answer
