"""Answers that are kept for some minutes."""

from __future__ import annotations

from windlass.ports.recent import KEPT_S, Recent


def test_good_answers_are_kept_for_their_time() -> None:
    recent, given = Recent(), iter(range(10))

    def ask(now: float) -> int:
        return recent.ask("what", now, lambda: next(given), lambda answer: answer > 0)

    assert [ask(0), ask(1), ask(2), ask(KEPT_S)] == [0, 1, 1, 1]
    assert ask(1 + KEPT_S) == 2
    assert recent.find("else", 0) is None


def test_old_answers_make_room() -> None:
    recent = Recent()
    for number in range(3000):
        recent.keep(number, number, float(number))
    assert recent.find(2999, 2999.0) == 2999
    assert len([n for n in range(3000) if recent.find(n, 2999.0) is not None]) <= 1000
